#!/bin/sh
# report.sh LONGROPE RUN: prints Markdown tables of a run of needle.yaml: the table found with each objective, and YaRN,
# on the windows of the search, on five books that no search saw, and on pass keys, which are recorded in the run.
# In the environment:
#   BOOKS    the folder that holds valid/*.txt (default ../shared/books)
#   REUSE    1: pass keys that are already recorded are not measured again
#   TRIALS   pass keys per depth (50 at 2048 bytes, 20 at 4096)
#   WINDOWS  of books that no search saw (25)
set -eu
longrope=$1
run=$2
here=$(dirname "$0")
model=$here/../demo/model
valid=${BOOKS:-$here/../../../shared/books}/valid
LC_ALL=C
export LC_ALL

# shown FILTER: of what the run holds.
shown() {
    document=$("$longrope" show "$run" --json)
    printf '%s' "$document" | jq -r "$1"
}

# fixed FILTER: the number with four decimals; an error if there is none.
fixed() {
    number=$(shown "$1")
    case $number in '' | null)
        echo "report.sh: $run has no $1" >&2
        exit 1
        ;;
    esac
    printf '%.4f' "$number"
}

# unseen LENGTH ARGUMENT...: perplexity on windows of five books that no search saw.
unseen() {
    length=$1
    shift
    measured=$("$longrope" eval --model "$model" --length "$length" --samples "${WINDOWS:-25}" --json "$@" \
        --text "$valid/on-the-origin-of-species-darwin.txt" "$valid/the-count-of-monte-cristo-dumas.txt" \
        "$valid/the-moonstone-collins.txt" "$valid/travels-in-west-africa-kingsley.txt" \
        "$valid/war-and-peace-tolstoy.txt")
    printf '%s' "$measured" | jq '.results[0].perplexity'
}

# ask LENGTH LABEL ARGUMENT...: measures pass keys. The needles of the searches have seed 1 and books around them.
ask() {
    length=$1
    label=$2
    shift 2
    of=".pass_keys[] | select(.label == \"$label\" and .length == $length)"
    [ "${REUSE:-0}" = 0 ] || [ -z "$(shown "$of")" ] || return 0
    trials=50
    [ "$length" = 2048 ] || trials=20
    trials=${TRIALS:-$trials}
    "$longrope" passkey --model "$model" --prompt demo --length "$length" --depths 0,10,20,30,40,50,60,70,80,90,100 \
        --trials "$trials" --seed 7 --into "$run" --label "$label" "$@" >/dev/null
}

# row LENGTH LABEL SEARCHED N_HAT ARGUMENT...: one row, for the table that the arguments name.
row() {
    length=$1
    label=$2
    searched=$3
    n_hat=$4
    shift 4
    ask "$length" "$label" "$@"
    keys=$(shown "[.pass_keys[] | select(.label == \"$label\" and .length == $length)] |
        ([.[].correct] | add) as \$found | ([.[].trials] | add) as \$all |
        \"\\(\$found) of \\(\$all), \\(100 * \$found / \$all | round) %\"")
    perplexity=$(unseen "$length" "$@")
    printf '| %s | %s | %s | %s | %.4f | %s |\n' "$length" "$label" "$searched" "$n_hat" "$perplexity" "$keys"
}

# yarn_on STAGE: YaRN's perplexity in that stage.
yarn_on() {
    fixed ".stages[] | select(.name == \"$1\") | .baselines[] | select(.method == \"yarn\") | .perplexity"
}

echo "| length | table | on the windows searched on | n_hat | unseen books | pass keys |"
echo "| --- | --- | --- | --- | --- | --- |"
for length in 2048 4096; do
    k=$((length / 1024))k
    text=$(yarn_on perplexity-$k)
    answers=$(yarn_on needle-$k)
    row "$length" yarn "$text; answers $answers" 0 --method yarn
    for objective in perplexity needle; do
        of=".stages[] | select(.name == \"$objective-$k\") | .best"
        words=
        [ "$objective" = perplexity ] || words="answers "
        n_hat=$(shown "$of.start_tokens")
        best=$(fixed "$of.perplexity")
        row "$length" "$objective" "$words$best" "$n_hat" --factors "$(shown "$of.factors | map(tostring) | join(\",\")")" \
            --start-tokens "$n_hat" --attention-factor "$(shown "$of.attention_factor")"
    done
done

echo
echo "| length | table | 0 % | 10 % | 20 % | 30 % | 40 % | 50 % | 60 % | 70 % | 80 % | 90 % | 100 % |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for length in 2048 4096; do
    for label in yarn perplexity needle; do
        shown "[.pass_keys[] | select(.label == \"$label\" and .length == $length)] |
            \"| $length | $label | \\([.[] | \"\\(.correct)/\\(.trials)\"] | join(\" | \")) |\""
    done
done
