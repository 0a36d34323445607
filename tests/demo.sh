#!/bin/bash
# The gateway with a stand-in of each provider and an account of each channel type connected to it, and the lines to try
# it with. Everything it starts ends with it; its data is in target/demo and made anew each time.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly bind="${PATCHBAY_HTTP__BIND:-127.0.0.1:8080}"
readonly telegram="${TELEGRAM_STANDIN:-127.0.0.1:9101}"
readonly meta="${META_STANDIN:-127.0.0.1:9102}"
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
for host in graph.facebook.com www.facebook.com graph.instagram.com lookaside.fbsbx.com; do
  echo "\"$host\" = \"http://$meta\"" >>"$data/patchbay.toml"
done

target/release/patchbay-providers --telegram "$telegram" --meta "$meta" >"$data/providers.log" 2>&1 &
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

# The operator's app at Meta, and an account of each of its types. Who logs in here is curl: it opens the page that `connect`
# answers, and the stand-in's dialog consents at once.
standin() { curl -fsS "http://$meta/_standin/$1" -d "$2"; }
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
app="$(call "$url/admin/v1/apps" -d '{"name": "Demo", "types": ["WHATSAPP_CLOUD", "MESSENGER", "INSTAGRAM"], "client_id": "300000000000001",
  "client_secret": "appsecret", "verify_token": "demo"}' | field id)"
standin webhook '{"url": "'"$url/webhooks/apps/$app"'", "verify_token": "demo"}' >/dev/null
connect_by_login() {
  local id page
  id="$(call "$url/rest/v1/channel_accounts" -d '{"organization_id": "demo", "name": "'"$2"'", "type": "'"$1"'", "is_active": true}' | field id)"
  page="$(call "$url/rest/v1/channel_accounts/$id/connect" -d '{}' | grep -o 'http[^"]*/oauth/start/[^"]*')"
  curl -fsSL -c "$data/cookies" -b "$data/cookies" "$page" >"$data/$1.html"
  echo "$id"
}
whatsapp="$(connect_by_login WHATSAPP_CLOUD 'Shop on WhatsApp')"
# There are several numbers: the page asked which.
call "$url/rest/v1/channel_accounts/$whatsapp/connect" -d '{"step": "answers", "answers": {"phone_number_id": "900000000000001"}}' >/dev/null
messenger="$(connect_by_login MESSENGER 'Shop on Messenger')"
instagram="$(connect_by_login INSTAGRAM 'Shop on Instagram')"

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

WHATSAPP_CLOUD ($whatsapp), MESSENGER ($messenger) and INSTAGRAM ($instagram)
are connected to their stand-in on http://$meta by a login, through the app $app:

  curl "http://$meta/_standin/say" -d '{"account": "900000000000001", "from": "15550002222", "text": "Is size 42 in stock?"}'
  curl "http://$meta/_standin/say" -d '{"account": "100000000000001", "from": "200000000000001", "text": "Do you ship?"}'
  curl -X POST "http://$meta/_standin/samples/ig-02-story-mention"
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$whatsapp'", "to": "15550002222", "content": [{"type": "text", "text": "It is"}]}'
  curl "http://$meta/_standin/messages?account=900000000000001"

Ctrl-C ends it. The gateway's log: $data/gateway.log
LINES
wait "$gateway"
