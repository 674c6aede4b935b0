# PyTorch and ONNX Runtime as peers on an NVIDIA GPU. Builds each case as a module of PyTorch, writes it as a case in the layout of ONNX's
# backend tests, and times it when told to: one JSON value a line in, one out. It must not know who else is timed.
import json
import os
import sys
import time

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

torch.manual_seed(0)
PRECISIONS = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class Products(nn.Module):
    """Products in a row, so that the device is busy all along."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def forward(self, a, b):
        for _ in range(self.count):
            a = a @ b
        return a


class Bottleneck(nn.Module):
    def __init__(self, inside, planes, stride):
        super().__init__()
        outside = planes * 4
        self.conv1, self.bn1 = nn.Conv2d(inside, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, outside, 1, bias=False), nn.BatchNorm2d(outside)
        same = stride == 1 and inside == outside
        self.down = nn.Identity() if same else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.down(x))


class ResNet50(nn.Module):
    """He et al., 2015, table 1, 50 layers."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        blocks, inside = [], 64
        for planes, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(count):
                blocks.append(Bottleneck(inside, planes, stride if i == 0 else 1))
                inside = planes * 4
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(2048, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.stem(x))), 3, 2, 1)
        return self.fc(self.blocks(x).mean((2, 3)))


class Encoder(nn.Module):
    """Layers of a transformer with norms behind the sums: BERT-base's."""

    def __init__(self, layers=12, width=768, heads=12):
        super().__init__()
        self.heads = heads
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "qkv": nn.Linear(width, 3 * width),
                    "out": nn.Linear(width, width),
                    "norm1": nn.LayerNorm(width),
                    "up": nn.Linear(width, 4 * width),
                    "down": nn.Linear(4 * width, width),
                    "norm2": nn.LayerNorm(width),
                }
            )
            for _ in range(layers)
        )

    def forward(self, x):
        n, length, width = x.shape
        for layer in self.layers:
            q, k, v = layer["qkv"](x).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width)
            x = layer["norm1"](x + layer["out"](mixed))
            x = layer["norm2"](x + layer["down"](F.gelu(layer["up"](x))))
        return x


def build(kind, precision, size):
    dtype = PRECISIONS[precision]
    if kind == "matmul":
        b = torch.randn(size, size) / size**0.5
        return Products(8).to(dtype), (torch.randn(size, size).to(dtype), b.to(dtype))
    if kind == "resnet50":
        return ResNet50().eval().to(dtype), (torch.randn(size, 3, 224, 224).to(dtype),)
    return Encoder().eval().to(dtype), (torch.randn(size, 128, 768).to(dtype),)


def write_tensor(value, path):
    tensor = numpy_helper.from_array(value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy())
    if value.dtype == torch.bfloat16:
        tensor = onnx.helper.make_tensor("", onnx.TensorProto.BFLOAT16, list(value.shape), value.view(torch.uint16).numpy().tobytes(), raw=True)
    with open(path, "wb") as file:
        file.write(tensor.SerializeToString())


class Case:
    def __init__(self, folder, kind, precision, size):
        self.tf32 = precision == "tf32"
        self.precision()
        model, inputs = build(kind, precision, size)
        model, self.here = model.cuda(), [x.cuda() for x in inputs]
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        self.path = os.path.join(folder, "model.onnx")
        with torch.no_grad():
            torch.onnx.export(model, tuple(self.here), self.path, opset_version=17, dynamo=False)
            # What is right: the same module in double precision, with the weights and inputs that it has.
            right = build(kind, precision, size)[0]
            right.load_state_dict(model.state_dict())
            right = right.cuda().double()(*(x.double() for x in self.here)).float().cpu()
        for i, x in enumerate(inputs):
            write_tensor(x, os.path.join(data, f"input_{i}.pb"))
        write_tensor(right, os.path.join(data, "output_0.pb"))
        self.right, self.inputs = right, [x.pin_memory() for x in inputs]
        self.runs = {"eager": model, "compiled": torch.compile(model)}

    def precision(self):
        torch.backends.cuda.matmul.allow_tf32 = self.tf32
        torch.backends.cudnn.allow_tf32 = self.tf32

    @torch.no_grad()
    def time(self, mode, calls):
        self.precision()
        run = self.runs[mode]
        began = time.perf_counter()
        out = run(*self.here).float().cpu()
        first = time.perf_counter() - began
        error = ((out - self.right).norm() / self.right.norm()).item()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        for _ in range(3):
            run(*self.here)
        start.record()
        for _ in range(calls):
            run(*self.here)
        end.record()
        torch.cuda.synchronize()
        whole = []
        for _ in range(calls):
            began = time.perf_counter()
            run(*(x.cuda(non_blocking=True) for x in self.inputs)).cpu()
            whole.append((time.perf_counter() - began) * 1e3)
        return {"deviceMillis": start.elapsed_time(end) / calls, "wholeMillis": sorted(whole)[len(whole) // 2], "error": error, "firstMillis": first * 1e3}


def time_onnxruntime(case, calls):
    """Raises where ONNX Runtime has no CUDA here."""
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise RuntimeError("this build of ONNX Runtime has no CUDA")
    session = onnxruntime.InferenceSession(case.path, providers=["CUDAExecutionProvider"])
    feeds = {given.name: x.numpy() for given, x in zip(session.get_inputs(), case.inputs)}
    out = torch.from_numpy(session.run(None, feeds)[0]).float()
    whole = []
    for _ in range(calls + 3):
        began = time.perf_counter()
        session.run(None, feeds)
        whole.append((time.perf_counter() - began) * 1e3)
    return {"wholeMillis": sorted(whole[3:])[calls // 2], "error": ((out - case.right).norm() / case.right.norm()).item()}


def probe():
    """Ceilings of the card: bytes moved, counting those read and written, and products of bf16."""
    x = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)

    def seconds(run):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        run(), run()
        start.record()
        for _ in range(10):
            run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e4

    y = torch.empty_like(x)
    return {"device": torch.cuda.get_device_name(), "bytesPerSecond": 2**31 / seconds(lambda: y.copy_(x)), "bf16PerSecond": 2 * 8192**3 / seconds(lambda: a @ a)}


cases = {}


def answer(order):
    if order["do"] == "probe":
        return probe()
    name = order["name"]
    if order["do"] == "build":
        cases[name] = Case(order["folder"], order["kind"], order["precision"], order["size"])
        return {}
    if order["do"] == "drop":
        del cases[name]
        torch.cuda.empty_cache()
        return {}
    if order["mode"] == "onnxruntime":
        return time_onnxruntime(cases[name], order["calls"])
    return cases[name].time(order["mode"], order["calls"])


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Whatever else prints goes to stderr.
for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:
        reply = {"problem": f"{type(error).__name__}: {str(error)[:300]}"}
    answers.write(json.dumps(reply) + "\n")
    answers.flush()
