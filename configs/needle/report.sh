#!/bin/sh
# report.sh LONGROPE RUN: Markdown tables of a run of needle.yaml that was measured.
set -eu
"$1" show "$2" --json | jq -r '
    def round4: . * 10000 | round | tostring | if length < 5 then ("0" * (5 - length)) + . else . end
        | .[:-4] + "." + .[-4:];
    . as $run |
    def keys($label; $length): [$run.pass_keys[] | select(.label == $label and .length == $length)];
    def row($method; $length; $searched; $n_hat):
        keys($method; $length) as $keys |
        ($run.lengths[] | select(.label == $method and .length == $length)) as $text |
        "| \($length) | \($method) | \($searched) | \($n_hat) | \($text.perplexity | round4) | " +
        "\([$keys[].correct] | add) of \([$keys[].trials] | add) |";
    "| length | table | on its own windows | n_hat | perplexity, unseen books | pass keys |",
    "| --- | --- | --- | --- | --- | --- |",
    (2048, 4096 | . as $length | "\($length / 1024)k" as $k |
        ([$run.stages[] | select(.name | endswith($k))]) as $stages |
        row("yarn"; $length; [$stages[].baselines[] | select(.method == "yarn") | .perplexity | round4] | join(", "); 0),
        ($stages[] | row(.objective; $length; (.best.perplexity | round4); .best.start_tokens))),
    "",
    "| length | table | \([range(0; 11) * 10 | "\(.) %"] | join(" | ")) |",
    "| --- | --- |\([range(0; 11) | " --- |"] | join(""))",
    (2048, 4096 | . as $length | "yarn", "perplexity", "needle" |
        "| \($length) | \(.) | \([keys(.; $length)[].correct] | join(" | ")) |")'
