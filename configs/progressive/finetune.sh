#!/bin/sh
# Fine-tunes the demo model with a stage's table; `longrope search` runs it, with the environment that
# search/recipe/finetune.h describes. The paper takes 400 and 600 steps of 32 windows at a learning rate of 2e-5. On two
# cores there is time for 40 steps of one window, and a small model requires the higher rate.
# PYTHON: a Python with configs/finetune/requirements.txt installed; BOOKS: the folder that holds train/*.txt.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-python3}" ../finetune/finetune.py --text "${BOOKS:-../../../shared/books}/train" \
    --batch 1 --lr 1e-3 --warmup 4 --steps 40 --save-every 5 --seed 1
