#!/bin/sh
# Loads the two real files into a running flights plugin and prints what became of each row that breaks a rule.
#
#   examples/flights/load.sh [URL]          default http://127.0.0.1:8000
#
# Loading twice is safe: rows that are there are counted and left alone. The token is the value of `load_token` under
# [plugins.flights.config] in covet.toml; FLIGHTS_TOKEN overrides the one of examples/flights/covet.toml.
set -eu
url=${1:-http://127.0.0.1:8000}
token=${FLIGHTS_TOKEN:-fill-the-tables}
data=$(dirname "$0")/data

load() {
    echo "$1 → $url$2"
    report=$(curl --silent --show-error --fail-with-body -X POST "$url$2" \
        -H "authorization: Bearer $token" -H 'content-type: text/csv' --data-binary "@$data/$1") || {
        echo "$report"
        exit 1
    }
    # One finding a line.
    echo "$report" | sed 's/\[{/[\n  {/g; s/},{/},\n  {/g'
}

load airports.csv /load/airports
load flights-airport.csv /load/routes
