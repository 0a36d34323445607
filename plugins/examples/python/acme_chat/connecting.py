"""Bringing an account into service, and looking after it: whose token is it, and where do webhooks go?"""

from patchbay_plugin import Call, Check, Connecting, Detail, Outcome, Report, connected, disconnected, field
from wit_world.exports.channel import Step_Disconnect

from .provider import ask, me


def connect(call: Call, input: Connecting) -> Outcome:
    if isinstance(input.step, Step_Disconnect):
        ask("DELETE", "webhook", "/webhook", repeatable=True)
        return disconnected(call)
    workspace = me()
    # Setting it twice is the same as setting it once. The gateway adds the secret on the way.
    ask("PUT", "webhook", "/webhook", json={"url": input.webhook_url}, repeatable=True)
    return connected(workspace["id"], workspace["name"], facts={"plan": workspace.get("plan", "")})


def health(call: Call) -> Report:
    workspace = me()
    webhook = Check("webhook", workspace.get("webhook_url") == call.webhook_url, None)
    if not webhook.ok:
        words = "Acme Chat sends what comes in to another address: connect the account again"
        webhook.detail = Detail("webhook_elsewhere", words, [])
    return Report([Check("token", True, None), webhook], [field("plan", workspace.get("plan", ""))])
