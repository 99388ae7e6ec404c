"""The options that every benchmark has, and the machine that it ran on."""

import argparse
import platform
from pathlib import Path
from typing import Any


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with --json and --quick, which shows the whole description as it is written."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--json", action="store_true", help="print JSON")
    result.add_argument(
        "--quick", action="store_true", help="run in seconds on tiny inputs: shows that it works, measures nothing"
    )
    return result


def machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Where it was measured."""
    import torch

    processors = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    description = {
        "device": device,
        "processor": processors[0] if processors else platform.processor() or platform.machine(),
        "cores": len(processors) or None,
        "threads": threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    if device == "cuda":
        description["gpu"] = torch.cuda.get_device_name()
    return {"machine": description, "torch": torch.__version__}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
