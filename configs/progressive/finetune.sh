#!/bin/sh
# finetune.sh [ARGUMENT...]: fine-tunes the demo model with a stage's table; `longrope search` and rivals.sh run it with
# the environment that search/recipe/finetune.h describes. The paper takes 400 and 600 steps of 32 windows at a learning
# rate of 2e-5. On two cores there is time for 160 steps and 60 steps of two slots, and a small model requires a higher
# rate: ../finetune/README.md has what rates, pass keys and the weight of short windows do in few steps. A slot has as many
# tokens as a long window: of sixteen slots seven are a long window with the table, seven hold short windows with the original
# frequencies, and two hold pass keys. Short windows learn what the untouched model predicts.
# PYTHON: a Python with configs/finetune/requirements.txt installed; BOOKS: the folder that holds train/*.txt;
# STEPS and RATE: steps and the highest learning rate of extend-8k and of extend-16k. Arguments are those of finetune.py.
set -eu
cd "$(dirname "$0")/../.."
. configs/progressive/common.sh
steps=${STEPS:-160 60} rate=${RATE:-3e-4 2e-4}
case $LONGROPE_STAGE in
extend-8k) steps=${steps% *} rate=${rate% *} ;;
*) steps=${steps#* } rate=${rate#* } ;;
esac
# Short windows are trained with the table's attention factor, so that engines run exactly what is trained.
m=$(jq '(.exportable_tables // .tables)[0].attention_factor' "$LONGROPE_FACTORS")
[ "$LONGROPE_THREADS" = 0 ] || set -- --threads "$LONGROPE_THREADS" "$@"
exec "$PYTHON" -u configs/finetune/finetune.py --text "$BOOKS/train" --mixed-window --short-share 0.5 \
    --short-attention-factor "$m" --short-teacher "$base" --short-weight 8 --key-share 0.125 \
    --batch 2 --lr "$rate" --warmup "$((steps / 20))" --decay cosine --steps "$steps" --save-every 5 --seed 1 "$@"
