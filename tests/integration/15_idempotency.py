"""Idempotency-Key, and a hundred starts at once: one session, and everybody told the same."""
import json
import re
import urllib.request
import uuid

from harness import StackTest, http, in_threads, main

STARTS = 100


class Idempotency(StackTest):
    def tearDown(self):
        self.stop()

    def post(self, key=None, body=None, camera="cam-1"):
        headers = {} if key is None else {"Idempotency-Key": key}
        return http(self.camera_url(camera, "/stream"), "POST", {} if body is None else body, headers)

    def sessions(self):
        return sorted(p.name for p in (self.media / "cam-1").glob("*") if p.is_dir()) if self.media.exists() else []

    def said(self, answer):
        """What two answers to one request must have in common."""
        return answer.status, answer.headers["Location"], answer.headers["Content-Type"], answer.body

    def known(self):
        """How many requests were answered by their key."""
        found = re.findall(r'^belfry_http_repeated_total{reason="(?:replayed|joined)"} (\d+)$',
                           http(self.url + "/metrics").text(), re.M)
        self.assertEqual(len(found), 2)
        return sum(map(int, found))

    # --- tests -----------------------------------------------------------------------------------------------------

    def test_a_hundred_starts_without_a_key_make_one_session(self):
        before = set(self.sessions())
        answers = in_threads(STARTS, lambda _: self.post())
        self.assertEqual({a.status for a in answers} - {200, 201}, set())
        self.assertEqual([a.status for a in answers].count(201), 1)
        self.assertEqual(len({a.json()["session"] for a in answers}), 1)
        self.assertEqual(len(set(self.sessions()) - before), 1)

    def test_a_hundred_starts_with_one_key_get_one_answer(self):
        before, known, key = set(self.sessions()), self.known(), str(uuid.uuid4())
        answers = in_threads(STARTS, lambda _: self.post(key))
        self.assertEqual({a.status for a in answers}, {201})
        self.assertEqual(len({self.said(a) for a in answers}), 1)
        self.assertEqual(len(set(self.sessions()) - before), 1)
        self.assertEqual(self.known() - known, STARTS - 1)

    def test_the_answer_is_as_before_when_the_stream_is_long_gone(self):
        key = str(uuid.uuid4())
        first = self.post(key)
        self.assertEqual(first.status, 201)
        self.stop()
        self.assertEqual(self.said(self.post(f'"{key}"')), self.said(first))
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_a_repeated_stop_does_not_end_what_came_after(self):
        self.start()
        request = urllib.request.Request(self.camera_url("cam-1", "/stream"), method="DELETE",
                                         headers={"Idempotency-Key": "stop-1"})

        def stop_again():
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        first = stop_again()
        fresh = self.start()
        self.assertEqual(stop_again(), first)
        self.assertEqual(self.camera()["stream"]["session"], fresh["session"])
        self.assertEqual(self.camera()["stream"]["state"], "live")

    def test_another_request_with_the_same_key(self):
        self.assertEqual(self.post("k-1").status, 201)
        answer = self.post("k-1", {"record": True})
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.json()["code"], "idempotency_key_reused")

    def test_what_is_no_key(self):
        for key in ("x" * 65, '""', "a b", "a,b"):
            answer = self.post(key)
            self.assertEqual(answer.status, 400, key)
            self.assertEqual(answer.json()["code"], "bad_idempotency_key")
        self.assertEqual(self.camera()["stream"]["state"], "idle")


if __name__ == "__main__":
    main()
