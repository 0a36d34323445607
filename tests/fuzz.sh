#!/bin/bash
# Throws mutated fixtures at a plugin's parse_inbound, natively: tests/fuzz.sh PLUGIN [SECONDS]; or mutated query strings at the REST
# API's reading of them: tests/fuzz.sh rest-query [SECONDS]. Ends with an error at the first panic, and leaves what caused it in target/fuzz/PLUGIN. libFuzzer's coverage comes from rustc's own pass, so that a stable
# compiler will do.
set -euo pipefail
cd "$(dirname "$0")/.."
plugin="$1" seconds="${2:-60}"
found="target/fuzz/$plugin"
mkdir -p "$found/corpus" "$found/seeds"
shopt -s nullglob
if [[ "$plugin" == rest-query ]]; then
  number=0
  while read -r line; do
    base64 -d <<<"$line" >"$found/seeds/$((number += 1))"
  done <tests/fuzz/corpus/rest-query.txt
fi
for fixture in plugins/"$plugin"/fixtures/*.json; do
  # A fixture of ours may hold the webhook in a field beside what is expected of it.
  python3 - "$fixture" "$found/seeds/$(basename "$fixture")" <<'PYTHON'
import json, sys
fixture = json.load(open(sys.argv[1]))
json.dump(fixture.get("body", fixture.get("webhook", fixture)), open(sys.argv[2], "w"))
PYTHON
done
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1"
cargo build --release --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz/build --target "$(rustc -vV | sed -n 's/^host: //p')" --bin "$plugin"
program="$(ls target/fuzz/build/*/release/"$plugin")"
exec "$program" "$found/corpus" "$found/seeds" -artifact_prefix="$found/" -max_total_time="$seconds" -max_len=65536 -timeout=10 -print_final_stats=1
