"""`make bench`: every benchmark in turn. `--quick` takes a fraction of the load; name some to run only those."""

import argparse
import os
import platform
import subprocess
import sys

ALL = (
    "batch_log",
    "historian",
    "sizes",
    "store",
    "scoring",
    "trained_scoring",
    "fleet_scoring",
    "onnx_inference",
    "lstm_training",
    "vibration",
    "connectors",
    "http_ingest",
    "live_latency",
    "page",
    "guard",
    "opcua_gateway",
    "modbus_gateway",
    "mqtt_gateway",
    "sparkplug",
    "push_and_folder",
    "thinning",
    "parcels",
    "gateway",
    "gateway_models",
    "catch_up",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("names", nargs="*", choices=[[], *ALL], help="which; default all")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    failed = []
    for name in given.names or ALL:
        print(f"\n== {name} ==", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if given.quick else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\ndid not finish: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
