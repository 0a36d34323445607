#!/bin/bash
# The gateway with a stand-in of each provider and an account of each channel type connected to it, and the lines to try
# it with. Everything it starts ends with it; its data is in target/demo and made anew each time.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly bind="${PATCHBAY_HTTP__BIND:-127.0.0.1:8080}"
readonly telegram="${TELEGRAM_STANDIN:-127.0.0.1:9101}"
readonly data=target/demo
rm -rf "$data" && mkdir -p "$data"

started=()
finish() { for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done; }
trap finish EXIT

cat >"$data/patchbay.toml" <<TOML
data = "$data"
[http]
bind = "$bind"
[plugins]
folder = "target/plugins"
[egress.redirect]
"api.telegram.org" = "http://$telegram"
TOML

target/release/patchbay-providers --telegram "$telegram" >"$data/providers.log" 2>&1 &
started+=($!)
target/release/patchbay --config "$data/patchbay.toml" serve >"$data/announcement" 2>"$data/gateway.log" &
gateway=$!
started+=("$gateway")

for _ in $(seq 300); do
  grep -q '^  key' "$data/announcement" && break
  kill -0 "$gateway" 2>/dev/null || { cat "$data/gateway.log" >&2; exit 1; }
  sleep 0.2
done
cat "$data/announcement"
key="$(sed -n 's/^  key *\(pb_[0-9a-f]*\).*/\1/p' "$data/announcement")"
readonly key url="http://$bind"

call() { curl -fsS -H "apikey: $key" -H 'content-type: application/json' "$@"; }

bot=4200001
account="$(call "$url/rest/v1/channel_accounts" -d '{"organization_id": "demo", "name": "Help desk", "type": "TELEGRAM", "is_active": true,
  "settings": {"bot_token": "'$bot':AAE-standin_token_0123456789abcdefghij"}}' | sed 's/.*"id":"\([^"]*\)".*/\1/')"
call "$url/rest/v1/channel_accounts/$account/connect" -d '{}' >/dev/null

cat <<LINES

TELEGRAM is connected to its stand-in on http://$telegram. In another terminal:

  KEY=$key ACCOUNT=$account

  # watch what happens
  curl -N -H "apikey: \$KEY" $url/rest/v1/events

  # Mona writes to the bot, and her message is there
  curl "http://$telegram/_standin/say?bot=$bot" -H 'content-type: application/json' -d '{"from": 70010001, "name": "Mona", "text": "Hi"}'
  curl -H "apikey: \$KEY" "$url/rest/v1/messages?direction=inbound"

  # answer her, and see what the provider got
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'\$ACCOUNT'", "to": "70010001", "content": [{"type": "text", "text": "Hello Mona"}]}'
  curl "http://$telegram/_standin/requests?method=sendMessage"

Ctrl-C ends it. The gateway's log: $data/gateway.log
LINES
wait "$gateway"
