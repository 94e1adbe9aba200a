"""autobahn.py client|server PROGRAM CASE...: the Autobahn test suite's own cases (as kosoku runs them) against our end.

server: PROGRAM is an echo server on the net library; client: PROGRAM echoes what a server of the suite sends.
Prints a line, and every case that did not pass; 1 when there is one."""

import asyncio
import subprocess
import sys

import kosoku


async def our_server(program, cases):
    with subprocess.Popen(
        [program, "--deflate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        port = server.stdout.readline().strip()
        try:
            return await kosoku.run_fuzzingclient(f"127.0.0.1:{port}", cases, None, concurrency=4)
        finally:
            server.stdin.close()


async def our_client(program, cases):
    async with kosoku.run_fuzzingserver(cases, None, host="127.0.0.1", port=0) as server:
        url = f"ws://127.0.0.1:{server.port}"

        async def run(path, *options):
            process = await asyncio.create_subprocess_exec(
                program, "echo", url + path, "--deflate", *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            out, err = await process.communicate()
            if process.returncode != 0:
                raise SystemExit(f"autobahn: {path}: {err.decode().strip()}")
            return out.decode()

        count = int(await run("/getCaseCount", "--print"))
        few = asyncio.Semaphore(4)

        async def run_case(case):
            async with few:
                await run(f"/runCase?case={case}&agent=kdp")

        await asyncio.gather(*(run_case(case) for case in range(1, count + 1)))
        await run("/updateReports?agent=kdp")
        return await asyncio.wait_for(server.get_result(), timeout=30)


def main():
    end, program, cases = sys.argv[1], sys.argv[2], sys.argv[3:]
    failed = []
    try:
        results = asyncio.run((our_client if end == "client" else our_server)(program, cases))
    except kosoku.FailureError as failure:
        results = failure.results
        failed = [result for result in results if not result.passed]
    for result in failed:
        print(
            f"{result.case_id}: {result.behavior.value}, {result.behavior_close.value}: {result.result}"
            f" {result.result_close}"
        )
    kinds = {}
    for result in results:
        kinds[result.behavior.value] = kinds.get(result.behavior.value, 0) + 1
    print(f"our {end}: {len(results)} cases, " + ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)))
    return 1 if failed or not results else 0


sys.exit(main())
