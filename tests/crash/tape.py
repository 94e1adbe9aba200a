"""tape.py - reads the segment files of a record tape from their description alone (docs/design/tape.md), sharing no code with
kdp: what stands on a tape is counted and compared by this."""
import collections
import glob
import os
import struct

HEADER, BLOCK_HEAD = 4096, 192
BLOCK_MAGIC = 0x4B4C424B
RECORDS = 0
GAP_UNUSED_RANGE = 3

Record = collections.namedtuple("Record", "seq template bytes")


class Bad(Exception):
    pass


def texts_and_groups(schema):
    """For every template the number of groups and of texts behind its fixed part, from the schema."""
    import xml.etree.ElementTree as xml

    shape = {}
    for element in xml.parse(schema).getroot():
        if element.tag.endswith("}message"):
            shape[int(element.get("id"))] = (len(element.findall("group")), len(element.findall("data")))
    return shape


def tables(schema):
    """Template id -> table of the lake."""
    import xml.etree.ElementTree as xml

    found = {}
    for element in xml.parse(schema).getroot():
        table = next((value for name, value in element.attrib.items() if name.endswith("}table")), None)
        if element.tag.endswith("}message") and table is not None:
            found[int(element.get("id"))] = table
    return found


def record_size(data, at, shape):
    block_length, template = struct.unpack_from("<HH", data, at)
    if template not in shape:
        raise Bad(f"template {template} is not in the schema")
    groups, texts = shape[template]
    end = at + 8 + block_length
    for _ in range(groups):
        item, count = struct.unpack_from("<HH", data, end)
        end += 8 + item * count
    for _ in range(texts):
        end += 2 + struct.unpack_from("<H", data, end)[0]
    return (end - at + 7) // 8 * 8, template


def read(directory, shape):
    """Every record of DIR/tape in order of the files."""
    records = []
    for path in sorted(glob.glob(os.path.join(directory, "tape", "*.seg"))):
        with open(path, "rb") as file:
            data = file.read()
        if data[:7] != b"KDPTAPE":
            raise Bad(f"{path} is no segment")
        at = HEADER
        while at + BLOCK_HEAD <= len(data):
            magic, _, kind, size, count = struct.unpack_from("<5I", data, at)
            if magic != BLOCK_MAGIC:
                break  # the footer
            at += BLOCK_HEAD
            if kind == RECORDS:
                end = at + size
                here = at
                while here < end:
                    length, template = record_size(data, here, shape)
                    seq = struct.unpack_from("<Q", data, here + 8)[0]
                    records.append(Record(seq, template, data[here : here + length]))
                    here += length
                    count -= 1
                if here != end or count != 0:
                    raise Bad(f"{path}: block before byte {end}: records do not fill it")
            at += size
    return records


def unused_ranges(records, gap_template=10):
    """The ranges [first, last] of sequence numbers that Gap records say were never given out."""
    ranges = []
    for record in records:
        if record.template == gap_template and record.bytes[48] == GAP_UNUSED_RANGE:
            first, used = struct.unpack_from("<QQ", record.bytes, 64)
            ranges.append((first, used - 1, record.seq))
    return ranges


def trade_ids(records, trade_template=1):
    return [record.bytes[48:64] for record in records if record.template == trade_template]
