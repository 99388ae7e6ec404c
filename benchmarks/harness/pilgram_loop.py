"""Sg-MMH's perturbation as its authors wrote it: pilgram on the whole picture, one region and one picture at a time.

Each picture's classes are counted and its recipe drawn by the same rules as `synthesis.compose`; then for each region an
Instagram filter and perhaps a CSS filter of pilgram, or equation 1 by OpenCV, and the region is pasted with NumPy.
"""

import cv2
import numpy as np
import pilgram
import pilgram.css
import torch
from PIL import Image

from retouch.settings import PerturbSettings
from retouch.synthesis.compose import MIN_AREA
from retouch.synthesis.degradations import motion_kernel
from retouch.synthesis.filter_recipe import Degradation, FilterRecipe, RegionEdit, draw_recipe
from retouch.synthesis.recipe import sample_seed

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor, FilterRecipe]


def perturb(photograph: Image.Image, labels: np.ndarray, name: str, epoch: int, seed: int, rules: PerturbSettings) -> Sample:
    """A photograph and its H×W label map → input and target 3×H×W, mask 1×H×W in [0, 1], and the recipe."""
    classes, areas = np.unique(labels, return_counts=True)
    present = [int(label) for label, area in zip(classes, areas, strict=True) if label and area >= MIN_AREA * labels.size]
    recipe = draw_recipe(present, sample_seed(seed, name, epoch), rules)
    image = np.asarray(photograph)
    target = degrade(image, recipe.degradation, recipe.seed) if recipe.degradation else image
    composite, mask = target.copy(), np.zeros(labels.shape, bool)
    for edit in recipe.edits:
        region = labels == edit.region
        composite[region] = apply_filters(photograph, edit)[region]
        mask |= region
    return to_tensor(composite), to_tensor(target), torch.from_numpy(mask)[None].float(), recipe


def apply_filters(photograph: Image.Image, edit: RegionEdit) -> np.ndarray:
    """The whole picture with the filters of one region."""
    picture = getattr(pilgram, "_1977" if edit.filter == "1977" else edit.filter)(photograph)
    if edit.css == "lab":
        lab = cv2.cvtColor(np.asarray(picture, np.float32) / 255, cv2.COLOR_RGB2Lab) * np.array(edit.amounts, np.float32)
        return np.rint(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB) * 255).astype(np.uint8)
    if edit.css == "lab-8bit":
        codes = (cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2Lab) * np.array(edit.amounts, np.float32)).clip(0, 255)
        return cv2.cvtColor(codes.astype(np.uint8), cv2.COLOR_Lab2RGB)
    return np.asarray(getattr(pilgram.css, edit.css)(picture, edit.amounts[0]) if edit.css else picture)


def degrade(image: np.ndarray, degradation: Degradation, seed: int) -> np.ndarray:
    """Noise, blur or JPEG on H×W×3 uint8."""
    kind, amount = degradation.kind, degradation.amount
    if kind == "jpeg":
        data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, round(amount)])[1]
        return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    if kind == "motion":
        return cv2.filter2D(image, -1, motion_kernel(amount), borderType=cv2.BORDER_REFLECT_101)
    if kind == "blur":
        return cv2.GaussianBlur(image, (7, 7), amount, borderType=cv2.BORDER_REFLECT_101)
    rng = np.random.default_rng(seed)
    if kind == "gaussian":
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(amount)
    elif kind == "laplace":
        noise = rng.laplace(0, amount, image.shape)
    else:
        noise = rng.poisson(amount, image.shape) * rng.choice((-1, 1), image.shape)
    return (image + noise).round().clip(0, 255).astype(np.uint8)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """H×W×3 uint8 → 3×H×W in [0, 1], as torchvision's ToTensor does."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div_(255)
