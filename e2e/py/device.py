"""An MQTT client with paho, driven by lines of JSON on standard input.

    device.py host port tcp|websockets 3|4|5 [client identifier]

Commands: {"op": "subscribe", "filter": f}
          {"op": "publish", "topic": t, "payload": base64, "contentType": c}
Prints {"did": op} when the broker has acknowledged, and each message as
{"topic", "payload", "contentType", "retain"}. It ends with its input.
"""

import base64
import json
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE = 20  # seconds


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    host, port, transport, version = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    identifier = sys.argv[5] if len(sys.argv) > 5 else ""
    modern = version == mqtt.MQTTv5
    did = queue.Queue()

    client = mqtt.Client(client_id=identifier, protocol=version, transport=transport)
    if transport == "websockets":
        client.ws_set_options(path="/mqtt")

    def on_message(_client, _userdata, message):
        content_type = getattr(message.properties, "ContentType", None) if modern else None
        say(
            topic=message.topic,
            payload=base64.b64encode(message.payload).decode(),
            contentType=content_type,
            retain=message.retain,
        )

    client.on_message = on_message
    client.on_connect = lambda *_: did.put("connect")
    client.on_subscribe = lambda *_: did.put("subscribe")
    client.on_publish = lambda *_: did.put("publish")
    client.connect(host, port)
    client.loop_start()
    say(did=did.get(timeout=PATIENCE))

    for line in sys.stdin:
        command = json.loads(line)
        if command["op"] == "subscribe":
            client.subscribe(command["filter"], qos=1)
        else:
            properties = None
            if modern and command.get("contentType"):
                properties = Properties(PacketTypes.PUBLISH)
                properties.ContentType = command["contentType"]
            payload = base64.b64decode(command["payload"])
            client.publish(command["topic"], payload, qos=1, properties=properties)
        say(did=did.get(timeout=PATIENCE))
    client.disconnect()
    client.loop_stop()


main()
