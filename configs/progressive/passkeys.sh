#!/bin/sh
# passkeys.sh LONGROPE RUN: which pass keys the base model finds as it is and with YaRN, and the fine-tuned one with the
# tables that RUN found; recorded in RUN for its report. The prompts are those of configs/passkey/run.sh. What is
# recorded already is not asked again.
set -eu
longrope=$1 run=$2
base=$(realpath --relative-to=. "$(dirname "$0")/../demo/model")

# ask NAME ARGUMENT...: keys in all depths, at each length.
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
