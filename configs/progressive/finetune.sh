#!/bin/sh
# What `longrope search` runs to fine-tune the demo model with a stage's table (search/recipe/finetune.h says with what
# environment). The paper takes 400 and 600 steps of 32 windows at a rate of 2e-5; two cores have the time for 40 steps
# of one window, and a small model wants the higher rate.
# PYTHON: with configs/finetune/requirements.txt installed; BOOKS: folder of train/*.txt.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-python3}" ../finetune/finetune.py --text "${BOOKS:-../../../shared/books}/train" \
    --batch 1 --lr 1e-3 --warmup 4 --steps 40 --save-every 5 --seed 1
