#!/bin/sh
# passkeys.sh LONGROPE RUN: measures which pass keys the base model finds, unchanged and with YaRN, and the fine-tuned
# model with the tables of RUN. Records them in RUN for its report. The prompts are those of configs/passkey/run.sh.
# Pass keys that are already recorded are not measured again.
set -eu
longrope=$1 run=$2
base=$(realpath --relative-to=. "$(dirname "$0")/../demo/model")

# ask NAME ARGUMENT...: measures keys at all depths and lengths.
ask() {
    name=$1
    shift
    recorded=$("$longrope" show "$run" --json | jq --arg name "$name" '[.pass_keys[] | select(.label == $name)] | length')
    [ "$recorded" -lt 25 ] || return 0 # five lengths, five depths
    "$longrope" passkey --prompt demo --length 256,512,1024,2048,4096 --trials 20 "$@" \
        --into "$run" --label "$name"
}

ask base-none --model "$base" --method none
ask base-yarn --model "$base" --method yarn
ask tuned-longrope-recovered --model "$run/extend-16k-finetuned" --factors "$run/factors.json"
