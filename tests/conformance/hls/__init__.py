"""A conformance checker for live HTTP Live Streaming playlists, low latency included (draft-pantos-hls-rfc8216bis-22).

follow.py    behaves as several kinds of client at once and records what was asked, what came, and when
timeline.py  the record: exchanges, and what they say of states, parts and segments
rules_*.py   one function a rule, over the record alone: no clock, no network
wire.py      the HTTP/1.1 client: keep-alive, and the instants of first and last byte
playlist.py  the strict parser; mp4.py reads parts and segments

All instants and durations are whole nanoseconds."""
