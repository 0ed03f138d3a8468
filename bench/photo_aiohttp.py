#!/usr/bin/python3
"""A typical server in Python: a photo in, labels out, by PyTorch, Pillow and aiohttp.

usage: bench/photo_aiohttp.py MODEL.pt PORT MEAN STD [--optimize]    POST an image to /ppm, get a PNG; MEAN and STD: r,g,b
"""
import asyncio
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import uvloop
from aiohttp import web
from PIL import Image

model = torch.jit.freeze(torch.jit.load(sys.argv[1]).eval())
if "--optimize" in sys.argv:
    model = torch.jit.optimize_for_inference(model)
mean, std = (torch.tensor([float(v) for v in text.split(",")]).view(1, 3, 1, 1) for text in sys.argv[3:5])
worker = ThreadPoolExecutor(1)  # PyTorch itself uses all cores for a request


@torch.inference_mode()
def compute(body):
    pixels = np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))
    x = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32))
    labels = model((x - mean) / std).numpy().astype(np.uint8)
    png = io.BytesIO()
    Image.fromarray(labels.reshape(pixels.shape[:2])).save(png, "PNG")
    return png.getvalue()


async def label(request):
    png = await asyncio.get_running_loop().run_in_executor(worker, compute, await request.read())
    return web.Response(body=png, content_type="image/png")


torch.set_num_threads(len(os.sched_getaffinity(0)))
uvloop.install()
app = web.Application(client_max_size=1 << 25)
app.add_routes([web.post("/ppm", label)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
