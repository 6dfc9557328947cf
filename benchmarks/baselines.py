"""Bare versions of what the benchmarks time, and naive ones that must fail the same number.

At most 40 lines each, importing nothing of ``core``; same dtype, threads, layout and batch as the
side they are held against. torch is imported where it is used: the kNN sides run without it.
"""

from __future__ import annotations

import faiss
import numpy as np


def bare_neighbours(embeddings, scored, scores, k, threads):
    """faiss's exact search and the mean of the found scores; float32 values of the unscored."""
    faiss.omp_set_num_threads(threads)
    unscored = np.ones(len(embeddings), dtype=bool)
    unscored[scored] = False
    index = faiss.IndexFlatL2(embeddings.shape[1])
    index.add(embeddings[scored])
    _, found = index.search(embeddings[unscored], k)
    return scores[found].mean(axis=1)


def naive_membership(embeddings, scored, scores, k, threads):
    """The same with the unscored ids found by list membership, as the paper's code does."""
    faiss.omp_set_num_threads(threads)
    known = scored.tolist()
    unscored = [i for i in range(len(embeddings)) if i not in known]
    index = faiss.IndexFlatL2(embeddings.shape[1])
    index.add(embeddings[scored])
    _, found = index.search(embeddings[unscored], k)
    return scores[found].mean(axis=1)


def naive_distance_matrix(embeddings, scored, scores, k, threads):
    """The same through one matrix of all distances: what the memory figure must catch."""
    unscored = np.setdiff1d(np.arange(len(embeddings)), scored)
    base, queries = embeddings[scored], embeddings[unscored]
    apart = queries @ base.T
    apart *= -2
    apart += np.einsum("ij,ij->i", base, base)
    values = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), 1000):
        found = np.argpartition(apart[start : start + 1000], k, axis=1)[:, :k]
        values[start : start + 1000] = scores[found].mean(axis=1)
    return values


def bare_convnet(channels, width, classes):
    """The layers of ``convnet`` in plain torch."""
    from torch import nn

    def block(inputs, outputs, *pool):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return conv, nn.BatchNorm2d(outputs), *pool, nn.ReLU(inplace=True)

    return nn.Sequential(
        *block(channels, width, nn.MaxPool2d(2)),
        *block(width, 2 * width, nn.MaxPool2d(2)),
        *block(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


def bare_linear(values, classes):
    """The layers of ``linear`` in plain torch."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(values, classes))


def bare_sgd(net):
    """The optimiser of both sides."""
    from torch.optim import SGD

    return SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)


def bare_epoch(net, optimizer, inputs, targets, batch):
    """Forward, backward and step on tensors that are normalised and in place; nothing else."""
    from torch.nn.functional import cross_entropy

    for x, y in zip(inputs.split(batch), targets.split(batch), strict=True):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()


def pil_augmentation(mean, std, crop):
    """Crop, flip and normalise of one picture ``[H, W, C]`` uint8, as most training code does."""
    from PIL import Image
    from torchvision import transforms as t

    return t.Compose(
        [
            Image.fromarray,
            t.RandomCrop(32, crop),
            t.RandomHorizontalFlip(),
            t.ToTensor(),
            t.Normalize(mean, std),
        ]
    )


def naive_loading(pictures, transform):
    """A batch of pictures, transformed one by one."""
    import torch

    batch = torch.stack([transform(picture) for picture in pictures])
    return batch.contiguous(memory_format=torch.channels_last)


def naive_cutout(batch, side):
    """A square of the mean colour in each normalised picture ``[B, C, H, W]``, one by one."""
    import torch

    for picture in batch:
        y, x = torch.randint(0, batch.shape[2], (2,)).tolist()
        top, left = max(0, y - side // 2), max(0, x - side // 2)
        picture[:, top : y + side // 2, left : x + side // 2] = 0.0


def naive_recording(history, ids, logits, targets):
    """Each sample's probability of its label into a list under its id, one by one."""
    probs = logits.detach().softmax(1)
    for row in range(len(ids)):
        history.setdefault(ids[row].item(), []).append(probs[row, targets[row]].item())


def naive_epoch(net, optimizer, pictures, transform, ids, history, targets, batch):
    """:func:`bare_epoch` with augmentation and recording sample by sample.

    ``transform`` None: ``pictures`` is the normalised tensor already; ``history`` None: no record.
    """
    from torch.nn.functional import cross_entropy

    for at in range(0, len(pictures), batch):
        part, y = slice(at, at + batch), targets[at : at + batch]
        x = naive_loading(pictures[part], transform) if transform else pictures[part]
        optimizer.zero_grad()
        logits = net(x)
        if history is not None:
            naive_recording(history, ids[part], logits, y)
        cross_entropy(logits, y).backward()
        optimizer.step()


def bare_decoding(decode, paths, workers):
    """Seconds that forked processes need to decode their shares and forget them; none of them
    starts before all are there."""
    import multiprocessing
    import time

    context = multiprocessing.get_context("fork")
    ready = context.Barrier(workers + 1)

    def work(share):
        ready.wait()
        for path in share:
            decode(path)

    processes = [context.Process(target=work, args=(paths[i::workers],)) for i in range(workers)]
    for process in processes:
        process.start()
    ready.wait()
    start = time.perf_counter()
    for process in processes:
        process.join()
    return time.perf_counter() - start


def naive_pictures(paths, size):
    """One process, whole pictures, everything in a list."""
    from PIL import Image

    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(np.asarray(picture.convert("RGB").resize((size, size))))
    return np.stack(pictures)


def naive_bank(folder):
    """Every array of a prepared dataset in memory, every path a string."""
    arrays = [np.load(file) for file in sorted(folder.rglob("*.npy"))]
    blob = (folder / "train" / "path.npy").read_bytes()[128:]
    ends = np.load(folder / "train" / "path.offsets.npy").tolist()
    return arrays, [blob[a:b].decode() for a, b in zip(ends, ends[1:], strict=False)]


def bare_adversarial_step(net, optimizer, x, targets, steps):
    """The arithmetic of one PGD-AT step: as many gradients of the input, and a training step."""
    import torch
    from torch.nn.functional import cross_entropy

    for _ in range(steps):
        x = x.detach().requires_grad_()
        torch.autograd.grad(cross_entropy(net(x), targets), x)
    optimizer.zero_grad()
    cross_entropy(net(x.detach()), targets).backward()
    optimizer.step()


def naive_adversarial_step(net, optimizer, x, targets, steps):
    """The same as often published: each attack step makes the weights' gradients too."""
    from torch.nn.functional import cross_entropy

    for _ in range(steps):
        x = x.detach().requires_grad_()
        cross_entropy(net(x), targets).backward()
    optimizer.zero_grad()
    cross_entropy(net(x.detach()), targets).backward()
    optimizer.step()
