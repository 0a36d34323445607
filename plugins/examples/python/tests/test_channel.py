"""What `conformance.json` can't say: the requests as they leave, and the events whole."""

import json
import unittest

from . import ROOT  # isort: skip: it says where the SDK is

from patchbay_plugin import content  # isort: skip: it says where the contract is
from patchbay_plugin.testing import Provider, call, outbound, webhook

from acme_chat import Channel
from componentize_py_types import Err
from wit_world.imports import messages, types

MESSAGES = "POST api /messages"
CHANNEL = Channel()


def fixture(name: str) -> dict:
    return json.loads((ROOT / "fixtures" / name).read_text())


class Sending(unittest.TestCase):
    def asked(self, settings: dict, message: messages.Outbound) -> dict:
        provider = Provider().answer(MESSAGES, 201, {"id": "msg_1"})
        sent = CHANNEL.send(call(settings), message)
        self.assertEqual(sent, messages.Sent([messages.Accepted(0, "msg_1", [])], None, []))
        return provider.requests[0].json

    def test_a_text_leaves_with_the_accounts_signature_below_it(self) -> None:
        text = outbound("user_7", [content.text("Hi")])
        self.assertEqual(self.asked({}, text), {"to": "user_7", "text": "Hi"})
        self.assertEqual(self.asked({"signature": "Acme Shop"}, text), {"to": "user_7", "text": "Hi\n\nAcme Shop"})

    def test_an_answer_names_what_it_answers(self) -> None:
        self.assertEqual(self.asked({}, outbound("user_7", [content.text("Yes")], reply_to="in_1"))["reply_to"], "in_1")

    def test_a_button_that_opens_a_page_is_named_as_the_one_that_is_wrong(self) -> None:
        go = messages.Button("Go", messages.Action_Reply("go"))
        look = messages.Button("Look", messages.Action_Url("https://example.com"))
        choices = messages.Choices_Buttons([go, look])
        interactive = messages.Content_Interactive(messages.Interactive(None, "?", None, choices))
        failed = CHANNEL.send(call(), outbound("user_7", [interactive])).failed
        self.assertIsInstance(failed, types.Failure_Invalid)
        self.assertEqual(failed.value[0].pointer, "/content/0/buttons/1")

    def test_a_connection_that_breaks_after_the_request_is_a_doubt(self) -> None:
        Provider().broken(MESSAGES, "reset").not_sent(MESSAGES, "no such host")
        text = outbound("user_7", [content.text("Hi")])
        self.assertIsInstance(CHANNEL.send(call(), text).failed, types.Failure_Uncertain)
        self.assertIsInstance(CHANNEL.send(call(), text).failed, types.Failure_Unavailable)

    def test_an_exception_is_a_fault_with_its_text_and_its_place_in_the_log(self) -> None:
        provider = Provider()
        failed = CHANNEL.send(call(), None).failed
        self.assertIsInstance(failed, types.Failure_Fault)
        self.assertIn("AttributeError", failed.value.message)
        self.assertIn("sending.py", provider.log[0][2]["at"])


class Receiving(unittest.TestCase):
    def test_webhooks_become_the_events_of_the_fixtures(self) -> None:
        names = sorted(file.name for file in (ROOT / "fixtures").glob("*.json"))
        self.assertGreaterEqual(len(names), 9)
        for name in names:
            body, expected = fixture(name)["body"], fixture(name)["expected"]
            with self.subTest(name):
                if expected is None:
                    with self.assertRaises(Err) as refused:
                        CHANNEL.parse_inbound(webhook(body))
                    self.assertIsInstance(refused.exception.value, types.Failure_Invalid)
                else:
                    keys = [event.dedupe_key for event in CHANNEL.parse_inbound(webhook(body)).events]
                    self.assertEqual(keys, [event["dedupe_key"] for event in expected])

    def test_a_picture_has_its_address_and_its_caption(self) -> None:
        [event] = CHANNEL.parse_inbound(webhook(fixture("02-picture.json")["body"])).events
        inbound = event.what.value
        self.assertEqual(inbound.reply_to, "msg_1")
        [media] = inbound.content
        self.assertEqual(media.value.source, messages.Source_Url("https://files.acme-chat.example/f/cat.png"))
        self.assertEqual((media.value.kind, media.value.caption), (messages.MediaKind.IMAGE, "Look"))


if __name__ == "__main__":
    unittest.main()
