"""Each service is killed and begun again, in each state that a stream can be in."""
import unittest

import report
import states


class Killed(states.InEveryState):
    FAULT = "killed and restarted"
    IN_CI = {"starting": ("gateway",), "recorded": ("janitor",)}  # live: recovery.py, with times

    def befall(self, name):
        return self.restart(name)


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
