#!/usr/bin/python3
"""usage: examples/photo.py [PHOTO.jpg] [--model NAME] [--url URL] [--output OVERLAY.png]

A photo in, labels out: prints which classes an image has, and writes it with their colors over it. Without --url it
starts a server with the model street. Needs python3-numpy alone."""
import argparse
import contextlib
import os
import pathlib
import sys

from serving import served

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "clients"))

import ppm_client  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description="Labels an image with a model of ppm-server.")
    parser.add_argument("photo", nargs="?", default=os.path.relpath(ROOT / "configs/samples/street.jpg"))
    parser.add_argument("--model", default="street")
    parser.add_argument("--output", type=pathlib.Path, help="the overlay [build/example/overlay.png]",
                        default=os.path.relpath(ROOT / "build/example/overlay.png"))
    parser.add_argument("--server", default=os.path.relpath(ROOT / "build/ppm-server"), help="the program to start")
    parser.add_argument("--url", help="a running server")
    return parser.parse_args()


def main():
    options = arguments()
    street = os.path.relpath(ROOT / "configs/models/street.json")
    with (contextlib.nullcontext(options.url) if options.url else served(options.server, street)) as url, \
            ppm_client.Client(url) as client:
        found = client.label(options.photo, options.model)
        print(f"{options.photo}: {found.labels.shape[1]} x {found.labels.shape[0]} pixels")
        for own in found.classes:
            print(f"{own['share']:7.1%} {own.get('name', own['id'])}")
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_bytes(found.overlay(0.6))
        print(f"{options.output}: the image with the colors of its classes over it")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ppm_client.Error) as error:
        sys.exit(f"photo.py: {error}")
