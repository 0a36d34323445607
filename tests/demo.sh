#!/bin/bash
# The gateway with a stand-in of each provider and an account of each channel type connected to it, and the lines to try
# it with. Everything it starts ends with it; its data is in target/demo and made anew each time.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly bind="${PATCHBAY_HTTP__BIND:-127.0.0.1:8080}"
readonly telegram="${TELEGRAM_STANDIN:-127.0.0.1:9101}"
readonly meta="${META_STANDIN:-127.0.0.1:9102}"
readonly tiktok="${TIKTOK_STANDIN:-127.0.0.1:9103}"
readonly linkedin="${LINKEDIN_STANDIN:-127.0.0.1:9104}"
readonly shopify="${SHOPIFY_STANDIN:-127.0.0.1:9105}"
readonly appgain="${APPGAIN_STANDIN:-127.0.0.1:9106}"
readonly victorylink="${VICTORYLINK_STANDIN:-127.0.0.1:9107}"
readonly pushes="${PUSH_STANDIN:-127.0.0.1:9111}"
readonly mail="${MAIL_STANDIN:-127.0.0.1:9109}"
readonly smtp="${SMTP_STANDIN:-127.0.0.1:9108}"
readonly imap="${IMAP_STANDIN:-127.0.0.1:9110}"
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
redirect() { local to="$1" host; shift; for host in "$@"; do echo "\"$host\" = \"http://$to\"" >>"$data/patchbay.toml"; done; }
redirect "$meta" graph.facebook.com www.facebook.com graph.instagram.com lookaside.fbsbx.com
redirect "$tiktok" business-api.tiktok.com www.tiktok.com "*.tiktokcdn.com"
redirect "$linkedin" api.linkedin.com www.linkedin.com
redirect "$shopify" "*.myshopify.com" inbox.example.com
redirect "$appgain" notify.appgain.io api.appgain.io
redirect "$victorylink" smsvas.vlserv.com
redirect "$pushes" fcm.googleapis.com
cat >>"$data/patchbay.toml" <<TOML
"mail.example.test:2525" = "tcp://$smtp"
"mail.example.test:1143" = "tcp://$imap"
TOML

target/release/patchbay-providers --telegram "$telegram" --meta "$meta" --tiktok "$tiktok" --linkedin "$linkedin" \
  --shopify "$shopify" --appgain "$appgain" --victorylink "$victorylink" \
  --push "$pushes" --mail "$mail" --mail-smtp "$smtp" --mail-imap "$imap" >"$data/providers.log" 2>&1 &
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
telegram_account="$(call "$url/rest/v1/channel_accounts" -d '{"organization_id": "demo", "name": "Help desk", "type": "TELEGRAM", "is_active": true,
  "settings": {"bot_token": "'$bot':AAE-standin_token_0123456789abcdefghij"}}' | sed 's/.*"id":"\([^"]*\)".*/\1/')"
call "$url/rest/v1/channel_accounts/$telegram_account/connect" -d '{}' >/dev/null

# An account of a type with these settings, and one step of connecting it.
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
account() {
  call "$url/rest/v1/channel_accounts" -d '{"organization_id": "demo", "name": "'"$2"'", "type": "'"$1"'", "is_active": true, "settings": '"$3"'}' | field id
}
step() { call "$url/rest/v1/channel_accounts/$1/connect" -d "$2"; }
hook() { call "$url/rest/v1/channel_accounts/$1" | field webhook_url; }
standin() { curl -fsS "http://$1/_standin/$2" -H 'content-type: application/json' -d "$3" >/dev/null; }

# The operator's apps at Meta, TikTok and LinkedIn, and an account of each of their types. Who logs in here is curl: it opens the
# page that `connect` answers, and the stand-ins' dialogs consent at once.
app() {
  call "$url/admin/v1/apps" -d '{"name": "Demo", "types": '"$1"', "client_id": "'"$2"'", "client_secret": "'"$3"'", "verify_token": "demo", "settings": '"$4"'}' | field id
}
log_in() {
  local id page
  id="$(account "$1" "$2" '{}')"
  page="$(step "$id" '{}' | grep -o 'http[^"]*/oauth/start/[^"]*')"
  curl -fsSL -c "$data/cookies" -b "$data/cookies" "$page" >"$data/$1.html"
  echo "$id"
}
meta_app="$(app '["WHATSAPP_CLOUD", "MESSENGER", "INSTAGRAM"]' 300000000000001 appsecret '{}')"
standin "$meta" webhook '{"url": "'"$url/webhooks/apps/$meta_app"'", "verify_token": "demo"}'
whatsapp="$(log_in WHATSAPP_CLOUD 'Shop on WhatsApp')"
# There are several numbers: the page asked which.
step "$whatsapp" '{"step": "answers", "answers": {"phone_number_id": "900000000000001"}}' >/dev/null
messenger="$(log_in MESSENGER 'Shop on Messenger')"
instagram="$(log_in INSTAGRAM 'Shop on Instagram')"

app '["TIKTOK"]' 7300000000000000001 tt_app_secret '{}' >/dev/null
tiktok_account="$(log_in TIKTOK 'Shop on TikTok')"

linkedin_app="$(app '["LINKEDIN"]' li_client_id li_client_secret '{"application_id": "9001"}')"
linkedin_account="$(log_in LINKEDIN 'Shop on LinkedIn')"
question="$(call "$url/rest/v1/channel_accounts/$linkedin_account" | grep -o '"questions":\[{"id":"[^"]*"' | field id)"
[[ -z "$question" ]] || step "$linkedin_account" '{"step": "answers", "answers": {"'"$question"'": "urn:li:organization:5590506"}}' >/dev/null
standin "$linkedin" webhook '{"url": "'"$url/webhooks/apps/$linkedin_app"'"}'

store="$(account SHOPIFY_INBOX 'Web shop' '{"shop_domain": "a.myshopify.com", "client_id": "shp_client_a",
  "client_secret": "shp_client_secret", "inbox_base_url": "https://inbox.example.com"}')"
step "$store" '{}' >/dev/null
standin "$shopify" webhook '{"shop": "a.myshopify.com", "url": "'"$(hook "$store")"'"}'

# Appgain: a phone that scans the code, text messages over both providers, pushes.
standin "$appgain" webhook '{"kind": "whatsapp", "secret": "demo-webhook-secret"}'
lite="$(account WHATSAPP_LITE 'Sales phone' '{"suit_id": "5db9", "api_key": "appgain-standin-key", "sender_id": "sales",
  "phone_number": "+201220000000", "webhook_secret": "demo-webhook-secret"}')"
step "$lite" '{}' >/dev/null
for _ in $(seq 50); do
  call "$url/rest/v1/channel_accounts/$lite/pairing" -o "$data/pairing.json" 2>/dev/null && break
  sleep 0.2
done
curl -fsS -H "apikey: $key" -H 'accept: image/svg+xml' "$url/rest/v1/channel_accounts/$lite/pairing" >"$data/pairing.svg"
standin "$appgain" phone '{"scan": {"number": "201220000000"}}'
standin "$appgain" knobs '{"acks": 3, "push_events": ["received", "open"]}'

sms="$(account SMS 'Text messages' '{"provider": "victorylink", "username": "vl_user", "password": "vl-standin-password", "sender_id": "Shop"}')"
step "$sms" '{}' >/dev/null
push="$(account SHRINKIT_PUSH 'Shop app' '{"suit_id": "5db9", "api_key": "appgain-standin-key"}')"
step "$push" '{}' >/dev/null
standin "$appgain" webhook '{"kind": "push", "url": "'"$(hook "$push")"'"}'

mailbox="$(account EMAIL 'Help desk by mail' '{"email_address": "support@acme.test", "display_name": "Acme", "password": "mail-standin-password",
  "smtp_host": "mail.example.test", "smtp_port": 2525, "smtp_security": "none",
  "imap_host": "mail.example.test", "imap_port": 1143, "imap_security": "none"}')"
step "$mailbox" '{}' >/dev/null

site="$(account WEB_PUSH 'Web shop' '{"vapid_subject": "mailto:push@acme.example.com", "site_origins": ["http://localhost:3000"]}')"
step "$site" '{}' >/dev/null
# Mona's browser, as client.js would tell of it.
browser="$(curl -fsS "http://$pushes/_standin/subscriptions" -d '{"service": "fcm", "real_host": true}' |
  sed 's/.*"subscription":\({[^{]*{[^}]*}}\).*/\1/')"
curl --fail-with-body -sS "$url/push/$site/subscriptions" -H 'content-type: application/json' -H 'origin: http://localhost:3000' \
  -d '{"subscription": '"$browser"', "contact": {"external_id": "mona"}}' >/dev/null

cat <<LINES

TELEGRAM is connected to its stand-in on http://$telegram. In another terminal:

  KEY=$key ACCOUNT=$telegram_account

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
are connected to their stand-in on http://$meta by a login, through the app $meta_app:

  curl "http://$meta/_standin/say" -d '{"account": "900000000000001", "from": "15550002222", "text": "Is size 42 in stock?"}'
  curl "http://$meta/_standin/say" -d '{"account": "100000000000001", "from": "200000000000001", "text": "Do you ship?"}'
  curl -X POST "http://$meta/_standin/samples/ig-02-story-mention"
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$whatsapp'", "to": "15550002222", "content": [{"type": "text", "text": "It is"}]}'
  curl "http://$meta/_standin/messages?account=900000000000001"

TIKTOK ($tiktok_account), LINKEDIN ($linkedin_account) and SHOPIFY_INBOX ($store):

  curl "http://$tiktok/_standin/say" -d '{"from": "u_77", "text": "Price?"}'
  curl "http://$linkedin/_standin/say" -d '{"from": "urn:li:person:abc", "text": "Do you ship?"}'
  curl "http://$shopify/_standin/say" -d '{"conversation": "conv_9", "customer": 7001, "name": "Mona", "text": "Hi"}'
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$linkedin_account'", "to": "feed", "content": [{"type": "post", "text": "We ship (everywhere)", "visibility": "PUBLIC", "media": []}]}'
  curl "http://$linkedin/_standin/posts"

WHATSAPP_LITE ($lite) was paired by the code in $data/pairing.svg:

  curl "http://$appgain/_standin/say" -d '{"from": "201001383533", "name": "Mona", "text": "Hi"}'
  curl "http://$appgain/_standin/phone" -d '"unlink"'      # and the account is logged out

SMS ($sms) counts its parts before it sends; SHRINKIT_PUSH ($push) tells who opened:

  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"dry_run": true, "channel_account_id": "'$sms'", "to": "01001383533", "content": [{"type": "text", "text": "مرحبا"}]}'
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$push'", "to": "P1NX", "content": [{"type": "notification", "title": "Sale", "body": "Today"}]}'

EMAIL ($mailbox) is support@acme.test:

  curl "http://$mail/_standin/say" -d '{"from": "mona@example.test", "name": "Mona", "subject": "Size 42?", "text": "Is it in stock?"}'
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$mailbox'", "to": "mona@example.test", "content": [{"type": "email", "subject": "News", "text": "It is", "html": "<b>It is</b>"}]}'
  curl "http://$mail/_standin/letters?address=mona@example.test"
  curl "http://$mail/_standin/say" -d '{"from": "mona@example.test", "text": "Thanks", "reply": true}'      # in the same conversation

WEB_PUSH ($site) has a browser of Mona's; a page of yours includes $url/push/$site/client.js:

  curl -H "apikey: \$KEY" "$url/rest/v1/subscriptions?channel_account_id=$site"
  curl -H "apikey: \$KEY" -H 'content-type: application/json' $url/rest/v1/messages \\
    -d '{"channel_account_id": "'$site'", "to": "mona", "content": [{"type": "notification", "title": "Sale", "body": "Today"}]}'
  curl "http://$pushes/_standin/received"                       # what her browser reads

Ctrl-C ends it. The gateway's log: $data/gateway.log
LINES
wait "$gateway"
