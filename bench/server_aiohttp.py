#!/usr/bin/python3
"""A typical server in Python: PyTorch served by aiohttp.

usage: bench/server_aiohttp.py MODEL.pt PORT [--optimize]    POST raw float32 to /ppm?shape=N,C,H,W
"""
import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import torch
import uvloop
from aiohttp import web

INLINE_MAX_BYTES = 1 << 16  # faster than waking another thread

model = torch.jit.freeze(torch.jit.load(sys.argv[1]).eval())
if "--optimize" in sys.argv:
    model = torch.jit.optimize_for_inference(model)
worker = ThreadPoolExecutor(1)  # PyTorch itself uses all cores for a request


@torch.inference_mode()
def compute(body, shape):
    x = torch.frombuffer(body, dtype=torch.float32).view(shape)
    return memoryview(model(x).numpy()).cast("B")


async def ppm(request):
    shape = [int(extent) for extent in request.query["shape"].split(",")]
    body, at = bytearray(request.content_length), 0
    async for piece in request.content.iter_any():
        body[at:at + len(piece)] = piece
        at += len(piece)
    if at <= INLINE_MAX_BYTES:
        answer = compute(body, shape)
    else:
        answer = await asyncio.get_running_loop().run_in_executor(worker, compute, body, shape)
    return web.Response(body=answer, content_type="application/octet-stream")


torch.set_num_threads(len(os.sched_getaffinity(0)))
uvloop.install()
app = web.Application()
app.add_routes([web.post("/ppm", ppm)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
