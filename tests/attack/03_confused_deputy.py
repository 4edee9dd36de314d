"""A service answers the node whose key has asked, on that node's own topic, whatever else the message asks for; and
nobody else can answer in its place."""
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from forger import CHANNELS, Key, Message, boot_id, pack
from harness import in_threads, main
from mqtt import CORRELATION_DATA, RESPONSE_TOPIC, Client
from open_broker import PREFIX, OpenBrokerTest

COMMANDS = f"{PREFIX}/gateway/gateway-1/cmd"
ELSEWHERE = f"{PREFIX}/operator/mallory/rsp"
STOP, STATUS = 3, 4  # actions of proto/gateway.proto, GatewayCommand
NOT_LIVE = 3         # exit status of belfryctl status


def answers_of(node):
    return f"{PREFIX}/operator/{node}/rsp"


class ConfusedDeputy(OpenBrokerTest):
    operators = ("second",)
    sequence = 0

    def key(self, node):
        return Key(self.stack.site / f"keys/{node}.key")

    def command(self, action=(STATUS, b""), **header):
        """What operator `second` asks."""
        type(self).sequence += 1
        return Message("gateway-command", {}, [action]).anew(**{
            "site": "home", "sender": "second", "recipient": "gateway-1", "topic": COMMANDS, "sender_epoch": 1,
            "channel": CHANNELS["cmd"], "sequence": self.sequence, "ttl_ms": 15000, "clock_synced": 1,
            "recipient_boot_id": boot_id(self.capture(f"{PREFIX}/gateway/gateway-1/state")[0]), **header})

    def answers_to(self, send):
        """[(topic, answer)] of all that came before the answer to a question that was asked last: commands are carried
        out in order, so nothing is still to come."""
        last = self.command()

        def is_last(payload):
            return Message.opened(payload).header["in_reply_to"] == last.header["message_id"]
        with Client(self.open_port) as client:
            client.subscribe(answers_of("second"), ELSEWHERE, "evil/#")
            send(client)
            client.publish(COMMANDS, last.sealed(self.key("second")))
            client.listen(lambda received: any(is_last(payload) for _, payload in received))
            self.assertTrue(any(is_last(payload) for _, payload in client.received))
            return [(topic, Message.opened(payload)) for topic, payload in client.received if not is_last(payload)]

    def test_1_the_answer_goes_to_who_has_signed(self):
        command = self.command().sealed(self.key("second"))

        def send(client):
            client.publish(COMMANDS, command, [(RESPONSE_TOPIC, ELSEWHERE), (CORRELATION_DATA, b"evil")])
            client.publish(COMMANDS, command, [(RESPONSE_TOPIC, "evil/answers")])  # seen: answered as before
        answers = self.answers_to(send)
        self.assertEqual([topic for topic, _ in answers], [answers_of("second")] * 2)
        self.assertEqual(answers[0][1].body, answers[1][1].body)
        self.assertEqual(answers[0][1].header["in_reply_to"], answers[1][1].header["in_reply_to"])

    def test_2_who_may_not_ask_is_not_answered(self):
        before = self.gateway_counters()
        insider, operator = self.key("cam-1"), self.key("second")
        forged = [("refused_key", self.command().sealed(insider)),
                  ("refused_key", self.command(sender="cam-1").sealed(insider)),
                  ("refused_sender", self.command(sender="mallory").sealed(operator)),
                  ("refused_boot_id", self.command(recipient_boot_id=bytes(16)).sealed(operator)),
                  ("refused_payload", self.command(in_reply_to=bytes(16)).sealed(operator))]

        def send(client):
            for _, envelope in forged:
                client.publish(COMMANDS, envelope, [(RESPONSE_TOPIC, ELSEWHERE)])
        self.assertEqual(self.answers_to(send), [])
        for wanted in dict(forged):
            rise = sum(name == wanted for name, _ in forged)
            self.wait_for(f"{rise} {wanted}", lambda wanted=wanted, rise=rise:
                          self.gateway_counters()[wanted] - before[wanted] == rise)

    def test_3_a_repeated_command_is_answered_and_not_carried_out(self):
        self.start()
        stop = self.command((STOP, pack([(1, b"cam-1")]))).sealed(self.key("second"))
        self.publish(COMMANDS, stop)
        self.wait_for("the stop", lambda: self.camera()["stream"]["state"] == "idle")
        stream = self.start()
        answers = self.answers_to(lambda client: client.publish(COMMANDS, stop))
        self.assertEqual([topic for topic, _ in answers], [answers_of("second")])
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()

    def lies(self, question, gateway_epoch):
        """What an attacker who reads the question would like the asker to believe."""
        failure = pack([(1, b"forged"), (2, b"forged"), (3, 1)])
        lie = Message("gateway-reply", {}, [(2, failure)]).anew(
            site="home", sender="gateway-1", recipient="operator", topic=answers_of("operator"),
            sender_epoch=gateway_epoch, channel=CHANNELS["rsp"], sequence=1 << 40, ttl_ms=30000, clock_synced=1,
            in_reply_to=question.header["message_id"])
        insider = self.key("cam-1")
        return [lie.sealed(insider), lie.but(sender="cam-1").sealed(insider), lie.sealed(self.key("second")),
                lie.sealed(Key(), keyid=self.key("gateway-1").keyid), lie.sealed(Key())]

    def test_4_nobody_answers_in_the_gateways_place(self):
        """The lies are there first: the gateway is held until they have been told."""
        epoch = Message.opened(self.capture(f"{PREFIX}/gateway/gateway-1/state")[0]).header["sender_epoch"]
        gateway = self.stack.pid("gateway")

        def attack(attacker):
            question = Message.opened(attacker.listen(len)[0][1])
            for envelope in self.lies(question, epoch):
                attacker.publish(answers_of("operator"), envelope)
            os.kill(gateway, signal.SIGCONT)

        with Client(self.open_port) as attacker:
            attacker.subscribe(COMMANDS)
            os.kill(gateway, signal.SIGSTOP)
            try:
                work = (lambda: self.belfryctl("status", "cam-1", check=False), lambda: attack(attacker))
                asked = in_threads(2, lambda i: work[i]())[0]
            finally:
                os.kill(gateway, signal.SIGCONT)
        self.assertEqual(asked.returncode, NOT_LIVE, asked.stderr)
        self.assertIn(b"idle", asked.stdout)
        self.assertNotIn(b"forged", asked.stdout + asked.stderr)


if __name__ == "__main__":
    main()
