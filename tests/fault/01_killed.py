"""Each service is killed and begun again, in each state that a stream can be in."""
import unittest

import report
import states
from harness import with_setting
from processes import ProcessTest, when_full

START_TIMEOUT_MS = 3000


class Killed(states.InEveryState):
    FAULT = "killed and restarted"
    IN_CI = {"starting": ("gateway",), "recorded": ("janitor",)}  # live: recovery.py, with times

    def befall(self, name):
        return self.restart(name)


class KilledInAnUndo(ProcessTest):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "start_timeout_ms", START_TIMEOUT_MS)

    @when_full
    def test_gateway(self):
        """The answer to the start is lost, and so must not be the reason."""
        with self.frozen("camera-cam-1"):
            request = self.post()
            self.wait_detail("the camera to switch off")
            self.restart("gateway")
        told = request.told()
        after = self.wait_state("failed", "idle", "live")
        self.assertEqual((after["state"], after["error"]["code"]), ("failed", "timeout"), after)
        self.assertIn("camera", after["error"]["detail"])
        self.assert_usable()
        report.measured("gateway killed and restarted, a start that failed being undone", "it ends in the reason",
                        f"told “{told}”; then “{after['error']['code']}”")


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
