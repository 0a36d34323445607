"""The desktop that Chromium shows notifications on: org.freedesktop.Notifications of the session bus.

Prints a line of JSON for each notification that is shown or taken away. Reads lines of JSON: {"press": id, "key": key} presses one of its
buttons ("default" is the notification itself), {"dismiss": id} closes it as its user does.
"""

import json
import os
import selectors
import sys

from jeepney import DBusAddress, HeaderFields, MessageType, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import Proxy, open_dbus_connection

DISMISSED, TAKEN_BACK = 2, 3
NAME = "org.freedesktop.Notifications"
SELF = DBusAddress("/org/freedesktop/Notifications", interface=NAME)

bus = open_dbus_connection(bus="SESSION")
Proxy(message_bus, bus).RequestName(NAME)
count = 0


def tell(**what):
    print(json.dumps(what), flush=True)


def answer(call):
    global count
    member = call.header.fields.get(HeaderFields.member)
    if member == "GetCapabilities":
        bus.send(new_method_return(call, "as", (["actions", "body", "persistence"],)))
    elif member == "GetServerInformation":
        bus.send(new_method_return(call, "ssss", ("desktop.py", "Patchbay", "1", "1.2")))
    elif member == "Notify":
        _, replaces, _, title, body, actions, _, _ = call.body
        count += 0 if replaces else 1
        number = replaces or count
        bus.send(new_method_return(call, "u", (number,)))
        tell(shown=number, title=title, body=body, buttons=list(zip(actions[::2], actions[1::2])))
    elif member == "CloseNotification":
        (number,) = call.body
        bus.send(new_method_return(call))
        bus.send(new_signal(SELF, "NotificationClosed", "uu", (number, TAKEN_BACK)))
        tell(closed=number)


def obey(command):
    if "press" in command:
        bus.send(new_signal(SELF, "ActionInvoked", "us", (command["press"], command["key"])))
    else:
        bus.send(new_signal(SELF, "NotificationClosed", "uu", (command["dismiss"], DISMISSED)))
        tell(closed=command["dismiss"])


tell(ready=True)
selector = selectors.DefaultSelector()
selector.register(bus.sock, selectors.EVENT_READ)
selector.register(sys.stdin, selectors.EVENT_READ)
commands = b""
while True:
    for key, _ in selector.select():
        if key.fileobj is sys.stdin:
            more = os.read(sys.stdin.fileno(), 65536)
            if not more:
                sys.exit()
            commands += more
            while b"\n" in commands:
                line, commands = commands.split(b"\n", 1)
                obey(json.loads(line))
            continue
        try:
            while True:
                message = bus.receive(timeout=0)
                if message.header.message_type == MessageType.method_call:
                    answer(message)
        except TimeoutError:
            pass
