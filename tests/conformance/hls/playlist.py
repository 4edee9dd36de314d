"""Playlists, parsed strictly (section 4 of the draft). Nothing is repaired: what is not as written there becomes a
fault that carries the name of the rule it breaks."""
import datetime
import re
from dataclasses import dataclass, field

NS = 1_000_000_000

INTEGER = re.compile(r"[0-9]{1,20}")
FLOAT = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
RESOLUTION = re.compile(r"[0-9]{1,20}x[0-9]{1,20}")

YES_NO = ("YES", "NO")
# Attributes of each tag: type, and whether it must be there. A tuple is the words of an enumerated-string.
ATTRIBUTES = {
    "EXT-X-PART-INF": {"PART-TARGET": ("float", True)},
    "EXT-X-SERVER-CONTROL": {"CAN-SKIP-UNTIL": ("float", False), "CAN-SKIP-DATERANGES": (YES_NO, False),
                             "HOLD-BACK": ("float", False), "PART-HOLD-BACK": ("float", False),
                             "CAN-BLOCK-RELOAD": (YES_NO, False)},
    "EXT-X-START": {"TIME-OFFSET": ("signed", True), "PRECISE": (YES_NO, False)},
    "EXT-X-MAP": {"URI": ("quoted", True), "BYTERANGE": ("quoted", False)},
    "EXT-X-PART": {"URI": ("quoted", True), "DURATION": ("float", True), "INDEPENDENT": (YES_NO, False),
                   "BYTERANGE": ("quoted", False), "GAP": (YES_NO, False)},
    "EXT-X-SKIP": {"SKIPPED-SEGMENTS": ("integer", True), "RECENTLY-REMOVED-DATERANGES": ("quoted-or-empty", False)},
    "EXT-X-PRELOAD-HINT": {"TYPE": (("PART", "MAP"), True), "URI": ("quoted", True),
                           "BYTERANGE-START": ("integer", False), "BYTERANGE-LENGTH": ("integer", False)},
    "EXT-X-RENDITION-REPORT": {"URI": ("quoted", True), "LAST-MSN": ("integer", False),
                               "LAST-PART": ("integer", False)},
    "EXT-X-STREAM-INF": {"BANDWIDTH": ("integer", True), "AVERAGE-BANDWIDTH": ("integer", False),
                         "CODECS": ("quoted", False), "RESOLUTION": ("resolution", False),
                         "FRAME-RATE": ("float", False)},
}
MEDIA_ONCE = {"EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-ENDLIST",
              "EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY", "EXT-X-PART-INF", "EXT-X-SERVER-CONTROL"}
ONCE = MEDIA_ONCE | {"EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START", "EXT-X-SKIP"}
OF_SEGMENTS = {"EXTINF", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME",
               "EXT-X-GAP", "EXT-X-BITRATE", "EXT-X-PART"}
MULTIVARIANT = {"EXT-X-MEDIA", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-SESSION-DATA",
                "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING"}
NO_VALUE = {"EXTM3U", "EXT-X-ENDLIST", "EXT-X-I-FRAMES-ONLY", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-DISCONTINUITY",
            "EXT-X-GAP"}
LOW_LATENCY = {"EXT-X-PART-INF", "EXT-X-PART", "EXT-X-PRELOAD-HINT", "EXT-X-SKIP", "EXT-X-RENDITION-REPORT"}
# What the tags of a segment apply to begins with its first part, so these stand before it (4.4.4.9).
BEFORE_PARTS = {"EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME"}


@dataclass
class Fault:
    """One place where a playlist is not as the draft says; `rule` names the rule that reports it."""
    rule: str
    line: int
    text: str

    def __str__(self):
        return f"line {self.line}: {self.text}"


@dataclass
class Part:
    """EXT-X-PART."""
    uri: str
    duration: int
    independent: bool
    gap: bool

    def __str__(self):
        return f"{self.uri} ({seconds(self.duration)}{', independent' * self.independent}{', gap' * self.gap})"


@dataclass
class Segment:
    """A Media Segment, or with `uri` None the parts of one that is not complete yet."""
    msn: int
    uri: str | None = None
    duration: int = 0
    duration_text: str = ""
    discontinuity: bool = False
    map_uri: str | None = None  # that applies, wherever its tag stands
    date: int | None = None     # PROGRAM-DATE-TIME, ns since 1970
    gap: bool = False
    parts: list = field(default_factory=list)
    lines: list = field(default_factory=list)  # as written, EXT-X-PART left out

    @property
    def length(self):
        """Of a complete one what EXTINF says; else of the parts there are."""
        return self.duration if self.uri else sum(p.duration for p in self.parts)


@dataclass
class Playlist:
    """A Media Playlist."""
    faults: list = field(default_factory=list)
    tags: list = field(default_factory=list)    # every tag's name, in order
    header: list = field(default_factory=list)  # lines before the first that belongs to a segment, as written
    version: int | None = None
    target: int = 0
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    control: dict = field(default_factory=dict)  # SERVER-CONTROL as written
    part_target: int | None = None
    skipped: int | None = None                   # EXT-X-SKIP, in a delta update
    segments: list = field(default_factory=list)
    hints: list = field(default_factory=list)    # (type, uri)
    ended: bool = False
    whole_text: str = ""

    @property
    def complete(self):
        """The Media Segments."""
        return [s for s in self.segments if s.uri]

    @property
    def open(self):
        """What of the next segment is there already, or None."""
        return self.segments[-1] if self.segments and not self.segments[-1].uri else None

    @property
    def next_msn(self):
        """Media sequence number of the first segment that is not complete."""
        return self.media_sequence + (self.skipped or 0) + len(self.complete)

    @property
    def edge(self):
        """How far the playlist reaches: (segment not complete yet, parts of it)."""
        return self.next_msn, len(self.open.parts) if self.open else 0

    @property
    def duration(self):
        """Sum of the Media Segments (4.1); of a delta update what is left of them."""
        return sum(s.duration for s in self.complete)

    def seconds(self, name):
        """A decimal attribute of SERVER-CONTROL in ns, or None."""
        return nanoseconds(self.control[name]) if name in self.control else None

    @property
    def hint(self):
        """URI of the hinted part, or None."""
        return next((uri for kind, uri in self.hints if kind == "PART"), None)

    @property
    def can_block(self):
        """Is blocking reload offered?"""
        return self.control.get("CAN-BLOCK-RELOAD") == "YES"

    @property
    def low_latency(self):
        """Does it announce parts, or list them?"""
        return self.part_target is not None or any(s.parts for s in self.segments)


@dataclass
class Variant:
    """EXT-X-STREAM-INF and its URI line."""
    uri: str
    attributes: dict


@dataclass
class Multivariant:
    """A Multivariant Playlist."""
    faults: list
    tags: list
    version: int | None
    variants: list
    independent_segments: bool


def nanoseconds(text):
    """A decimal-floating-point of seconds; digits below a nanosecond are dropped."""
    whole, _, fraction = text.partition(".")
    return int(whole or 0) * NS + int((fraction + "0" * 9)[:9])


def seconds(ns):
    """For people: 1.25 s."""
    return f"{ns / NS:.6f}".rstrip("0").rstrip(".") + " s"


def parse_date(text):
    """PROGRAM-DATE-TIME in ns since 1970, or None when it is not one; without a zone it is UTC (4.4.4.6)."""
    found = DATE.fullmatch(text)
    if not found:
        return None
    *numbers, fraction, zone = found.groups()
    offset = datetime.timedelta()
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        offset = -offset if zone[0] == "-" else offset
    try:
        moment = datetime.datetime(*map(int, numbers), tzinfo=datetime.timezone.utc) - offset
    except ValueError:
        return None
    return int(moment.timestamp()) * NS + int(((fraction or "") + "0" * 9)[:9])


def of_type(value, kind):
    """Is an attribute's value, as written, of that type (4.2)?"""
    if isinstance(kind, tuple):
        return value in kind
    quoted = value.startswith('"')
    if kind == "quoted":
        return quoted and len(value) > 2
    if kind == "quoted-or-empty":
        return quoted
    pattern = {"integer": INTEGER, "float": FLOAT, "resolution": RESOLUTION, "signed": re.compile(r"-?[0-9.]+")}[kind]
    return not quoted and pattern.fullmatch(value) is not None


class Lines:
    """A playlist's text as numbered lines, and the faults found in it."""

    def __init__(self, body):
        self.faults = []
        self.number = 0
        try:
            self.text = body.decode("utf-8")
        except UnicodeDecodeError as e:
            self.text = body.decode("utf-8", "replace")
            self.fault("playlist-text", f"is not UTF-8: {e}")
        self.check_characters()

    def fault(self, rule, text):
        self.faults.append(Fault(rule, self.number, text))

    def check_characters(self):
        if self.text.startswith("\ufeff"):
            self.fault("playlist-text", "begins with a byte order mark")
        bad = re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)", self.text)
        if bad:
            self.fault("playlist-text", f"has the control character {bad.group()!r}")
        if self.text and not self.text.endswith("\n"):
            self.fault("playlist-text", "its last line is not terminated: it may have been cut off")
        if not re.match(r"#EXTM3U\r?\n", self.text):
            self.fault("playlist-text", "the first line is not #EXTM3U")

    def __iter__(self):
        for self.number, line in enumerate(self.text.split("\n"), 1):
            line = line.removesuffix("\r")
            if not line:
                continue
            if line != line.strip():
                self.fault("playlist-text", f"whitespace at an end of {line!r}")
            yield line

    def attributes(self, tag, text):
        """An attribute-list as {name: value}, quotes taken off, checked against what the tag defines."""
        found, at = {}, 0
        for match in ATTRIBUTE.finditer(text):
            if match.start() != at:
                break
            at = match.end()
            name, value = match.groups()
            if name in found:
                self.fault("tag-syntax", f"{tag} has {name} twice")
            found[name] = value
        if at != len(text) or text.endswith(","):
            self.fault("tag-syntax", f"{tag}: not an attribute list from {text[at:] or ','!r} on")
        for name, (kind, needed) in ATTRIBUTES.get(tag, {}).items():
            if name not in found:
                if needed:
                    self.fault("tag-syntax", f"{tag} has no {name}")
            elif not of_type(found[name], kind):
                self.fault("tag-syntax", f"{tag}: {name}={found[name]} is not of its type")
                del found[name]
        return {name: value.strip('"') for name, value in found.items()}

    def integer(self, tag, text):
        if not INTEGER.fullmatch(text):
            self.fault("tag-syntax", f"{tag}: {text!r} is not a decimal integer")
            return None
        return int(text)


def split_tag(line):
    """'#EXT-X-A:b' as ('EXT-X-A', 'b'); value None where there is no colon."""
    name, colon, value = line[1:].partition(":")
    return name, value if colon else None


def count_tags(lines, tags, name, value):
    """Notes a tag; one that may stand once only is a fault the second time."""
    if name in ONCE and name in tags:
        lines.fault("tag-once", f"{name} stands there twice")
    if name in NO_VALUE and value is not None:
        lines.fault("tag-syntax", f"{name} takes no value")
    tags.append(name)


class MediaParser:
    """Builds one Playlist, line by line."""

    def __init__(self, body):
        self.lines = Lines(body)
        self.list = Playlist(faults=self.lines.faults, whole_text=self.lines.text)
        self.segment = None  # that is being put together
        self.extinf = False
        self.map_uri = None
        self.in_header = True

    def parse(self):
        for line in self.lines:
            if line.startswith("#EXT"):
                self.tag(line)
            elif not line.startswith("#"):
                self.uri(line)
        if self.extinf:
            self.lines.fault("extinf", "the last EXTINF has no URI after it")
        if self.segment and (self.segment.parts or self.segment.lines):
            self.list.segments.append(self.segment)
        if "EXT-X-TARGETDURATION" not in self.list.tags:
            self.lines.fault("target-duration", "there is no EXT-X-TARGETDURATION")
        return self.list

    def current(self):
        """The segment that tags now apply to."""
        if self.segment is None:
            self.segment = Segment(self.list.media_sequence + (self.list.skipped or 0) + len(self.list.segments))
            self.segment.map_uri = self.map_uri
        self.in_header = False
        return self.segment

    def uri(self, line):
        segment = self.current()
        if not self.extinf:
            self.lines.fault("extinf", f"{line} has no EXTINF")
        segment.uri = line
        segment.lines.append(line)
        self.list.segments.append(segment)
        self.segment, self.extinf = None, False

    def tag(self, line):
        name, value = split_tag(line)
        count_tags(self.lines, self.list.tags, name, value)
        if name in MULTIVARIANT:
            self.lines.fault("one-kind", f"{name} in a Media Playlist")
        elif name in OF_SEGMENTS:
            self.of_segment(name, value or "", line)
        else:
            self.of_playlist(name, value or "")
        if self.in_header and name not in OF_SEGMENTS:
            self.list.header.append(line)

    def of_playlist(self, name, value):
        handler = getattr(self, "on_" + name.lower().replace("-", "_"), None)
        if handler:
            handler(name, value)

    def on_ext_x_version(self, name, value):
        self.list.version = self.lines.integer(name, value)

    def on_ext_x_targetduration(self, name, value):
        number = self.lines.integer(name, value) or 0
        if number < 1:
            self.lines.fault("target-duration", f"the target duration is {value}, less than one second")
        self.list.target = number * NS

    def on_ext_x_media_sequence(self, name, value):
        if self.list.segments or self.segment:
            self.lines.fault("sequence-first", f"{name} after the first segment")
        self.list.media_sequence = self.lines.integer(name, value) or 0

    def on_ext_x_discontinuity_sequence(self, name, value):
        if self.list.segments or self.segment:
            self.lines.fault("sequence-first", f"{name} after the first segment")
        self.list.discontinuity_sequence = self.lines.integer(name, value) or 0

    def on_ext_x_endlist(self, _name, _value):
        self.list.ended = True

    def on_ext_x_server_control(self, name, value):
        self.list.control = self.lines.attributes(name, value)

    def on_ext_x_part_inf(self, name, value):
        target = self.lines.attributes(name, value).get("PART-TARGET")
        self.list.part_target = nanoseconds(target) if target else None

    def on_ext_x_skip(self, name, value):
        if self.list.segments or self.segment:
            self.lines.fault("tag-syntax", "EXT-X-SKIP does not stand in the place of the first segments")
        self.in_header = False
        self.list.skipped = int(self.lines.attributes(name, value).get("SKIPPED-SEGMENTS", "0"))

    def on_ext_x_preload_hint(self, name, value):
        found = self.lines.attributes(name, value)
        self.list.hints.append((found.get("TYPE", ""), found.get("URI", "")))

    def on_ext_x_rendition_report(self, name, value):
        self.lines.attributes(name, value)

    def of_segment(self, name, value, line):
        segment = self.current()
        if name != "EXT-X-PART":
            segment.lines.append(line)
        if name in BEFORE_PARTS and segment.parts:
            self.lines.fault("tags-before-parts", f"{name} after the first EXT-X-PART of its segment")
        if name == "EXTINF":
            self.on_extinf(segment, value)
        elif name == "EXT-X-PART":
            self.on_part(segment, value)
        elif name == "EXT-X-MAP":
            self.map_uri = segment.map_uri = self.lines.attributes(name, value).get("URI")
        elif name == "EXT-X-PROGRAM-DATE-TIME":
            self.on_date(segment, value)
        elif name == "EXT-X-DISCONTINUITY":
            segment.discontinuity = True
        elif name == "EXT-X-GAP":
            segment.gap = True

    def on_extinf(self, segment, value):
        duration, comma, _title = value.partition(",")
        if self.extinf:
            self.lines.fault("extinf", "two EXTINF for one segment")
        if not comma or not FLOAT.fullmatch(duration):
            self.lines.fault("extinf", f"EXTINF:{value} is not <duration>,[<title>]")
            duration = "0"
        segment.duration, segment.duration_text = nanoseconds(duration), duration
        self.extinf = True

    def on_part(self, segment, value):
        found = self.lines.attributes("EXT-X-PART", value)
        if self.extinf:
            self.lines.fault("parts-before-extinf", "EXT-X-PART between EXTINF and the segment's URI")
        segment.parts.append(Part(found.get("URI", ""), nanoseconds(found.get("DURATION", "0")),
                                  found.get("INDEPENDENT") == "YES", found.get("GAP") == "YES"))

    def on_date(self, segment, value):
        segment.date = parse_date(value)
        if segment.date is None:
            self.lines.fault("tag-syntax", f"EXT-X-PROGRAM-DATE-TIME: {value!r} is not a date")
        elif not re.search(r"\.\d{3,}(Z|[+-]\d\d:?\d\d)$", value):
            self.lines.fault("date-precision", f"{value} names no zone or less than milliseconds")


def parse_media(body):
    """A Media Playlist out of the bytes that came."""
    return MediaParser(body).parse()


def is_multivariant(body):
    """By its tags (4.1)."""
    return any(split_tag(line)[0] in MULTIVARIANT for line in body.decode("utf-8", "replace").splitlines()
               if line.startswith("#EXT"))


def parse_multivariant(body):
    """A Multivariant Playlist out of the bytes that came."""
    lines, tags, variants, version = Lines(body), [], [], None
    pending = None
    for line in lines:
        if line.startswith("#EXT"):
            name, value = split_tag(line)
            count_tags(lines, tags, name, value)
            if name in MEDIA_ONCE | OF_SEGMENTS:
                lines.fault("one-kind", f"{name} in a Multivariant Playlist")
            if name == "EXT-X-VERSION":
                version = lines.integer(name, value or "")
            if name == "EXT-X-STREAM-INF":
                pending = lines.attributes(name, value or "")
        elif not line.startswith("#"):
            if pending is None:
                lines.fault("one-kind", f"{line} has no EXT-X-STREAM-INF")
            variants.append(Variant(line, pending or {}))
            pending = None
    if pending is not None:
        lines.fault("one-kind", "the last EXT-X-STREAM-INF has no URI after it")
    return Multivariant(lines.faults, tags, version, variants, "EXT-X-INDEPENDENT-SEGMENTS" in tags)
