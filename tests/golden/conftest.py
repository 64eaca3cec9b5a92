"""A small model with all the traits of a large one, and its frames."""

import pytest
import torch

from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe_golden.model import M3ViT


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    return load_model_config("micro")


@pytest.fixture
def model(config: ModelConfig) -> M3ViT:
    """Weights large enough that experts, gates and biases all matter."""
    torch.manual_seed(5)
    model = M3ViT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture
def frames(config: ModelConfig) -> torch.Tensor:
    generator = torch.Generator().manual_seed(6)
    shape = (2, config.image_height, config.image_width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
