"""Each service is stopped in order (SIGTERM) and begun again, in each state that a stream can be in.

What differs from being killed: ingest ends its sessions before it goes, and all take their leave of the broker."""
import os
import signal
import time
import unittest

import report
import states
from processes import in_words


class Restarted(states.InEveryState):
    FAULT = "restarted in order"
    SAYS_GOOD_BYE = True
    IN_CI = {"live": ("ingest",)}

    def befall(self, name):
        """One that stands still hears of it when it is woken."""
        os.kill(self.stack.pid(name), signal.SIGTERM)
        self.stack.stop(name, signal.SIGCONT)
        self.came[name] = self.connections_of(name)
        began = time.monotonic()
        self.stack.start(name)
        return began

    def live_check(self, name):
        return self.live_end if name == "ingest" else super().live_check(name)

    def live_end(self, name, stream):
        began = self.befall(name)
        after = self.wait_state("failed", "idle")
        told = max(0, time.monotonic() - began)
        self.assertEqual((after["state"], after["error"]["code"]), ("failed", "session_ended"))
        self.assertIn("shutdown", after["error"]["detail"])
        self.assertTrue(self.playlist(stream).ended)
        self.assert_usable()
        return "the session is ended in order; the API gives the reason", f"“{after['error']['code']}” after {in_words(told)}"


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
