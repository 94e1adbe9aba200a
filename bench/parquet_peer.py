"""parquet_peer.py OUTDIR TABLE.csv...: what a table takes when another tool writes it straightforwardly.

pyarrow reads the CSV with the types it guesses and writes it with its defaults (snappy, dictionaries), and once more with
zstd.  One line for each table: name=parquet table=... rows=... snappy_bytes=... zstd_bytes=...
"""
import os
import sys

try:
    import pyarrow.csv
    import pyarrow.parquet
except ImportError:
    sys.exit(77)

for path in sys.argv[2:]:
    name = os.path.basename(path).removesuffix(".csv")
    table = pyarrow.csv.read_csv(path)
    sizes = {}
    for how in ("snappy", "zstd"):
        out = os.path.join(sys.argv[1], f"{name}.{how}.parquet")
        pyarrow.parquet.write_table(table, out, compression=how)
        sizes[how] = os.path.getsize(out)
    print(f"name=parquet table={name} rows={table.num_rows} snappy_bytes={sizes['snappy']} zstd_bytes={sizes['zstd']}")
