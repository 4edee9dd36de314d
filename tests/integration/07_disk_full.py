"""A full media disk: live goes on from what fits, an alarm is published, nothing half-written is listed."""
import json
import pathlib
import subprocess
import threading
import urllib.request

from harness import StackTest, ffprobe_frames, http, main, with_setting


class DiskFull(StackTest):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "ingest", "reserve_bytes", 1048576)

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        cls.mounted = cls.stack.site / "media"
        cls.mounted.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0750", "belfry-test", str(cls.mounted)], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", str(cls.mounted)], check=False)

    def alarms(self):
        """Collects alarm events of the gateway's event stream in the background."""
        found = []

        def read():
            with urllib.request.urlopen(self.url + "/api/v1/events", timeout=60) as events:
                kind = None
                for line in events:
                    line = line.decode().strip()
                    if line.startswith("event:"):
                        kind = line.split(":", 1)[1].strip()
                    elif line.startswith("data:") and kind == "alarm":
                        found.append(json.loads(line.split(":", 1)[1]))
                        if not found[-1]["active"]:
                            return
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return found

    def test_full_then_free(self):
        alarms = self.alarms()
        stream = self.start()
        self.newer_part(stream)
        ballast = pathlib.Path(self.mounted / "ballast")
        with open(ballast, "wb") as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
                    f.flush()
            except OSError:
                pass
        self.wait_for("the alarm", lambda: any(a["code"] == "disk_full" and a["active"] for a in alarms), 30)
        for name in self.playlist(stream).parts:
            answer = self.fetch(stream, name)
            if answer.status == 200:
                self.assertEqual(int.from_bytes(answer.body[:4], "big") > 0, True)
                self.assertEqual(answer.body[4:8], b"moof")
        ballast.unlink()
        self.wait_for("the alarm to clear", lambda: any(a["code"] == "disk_full" and not a["active"] for a in alarms), 30)
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        init = self.fetch(stream, self.playlist(stream).map).body
        part = self.fetch(stream, self.playlist(stream).independent[-1]).body
        path = self.stack.root / "after.mp4"
        path.write_bytes(init + part)
        self.assertGreater(ffprobe_frames(str(path)), 0)
        self.stop()
        self.assertEqual(http(self.url + "/healthz").status, 200)


if __name__ == "__main__":
    main()
