"""The checker on functions of PyTorch and JAX, and on pairs as SciPy takes them."""

import numpy as np
import pytest

from tinygrad_slp.check import Verdict, check_gradient


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_slope(x):
    g = np.zeros_like(x)
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    return g


def test_a_pair_as_for_scipy():
    x = np.array([-1.2, 1.0, 0.5])
    assert check_gradient(rosenbrock, x, rosenbrock_slope).verdict == "RIGHT"
    report = check_gradient(rosenbrock, x, lambda x: -rosenbrock_slope(x))
    assert "the sign is wrong" in report.explanation


class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def function(self, slope):
        """tanh as an autograd.Function with this derivative, of g and y."""
        torch = self.torch

        class Ours(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = torch.tanh(x)
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, g):
                return slope(g, *ctx.saved_tensors)

        return Ours.apply

    def test_a_function_of_tensors(self):
        x = self.torch.randn(3, 2, dtype=self.torch.float64)
        W = self.torch.randn(2, 4, dtype=self.torch.float64)
        assert check_gradient(lambda p: (p[0] @ p[1]).sigmoid().mean(), [x, W]).verdict == "RIGHT"

    def test_an_autograd_function(self):
        x = self.torch.linspace(-1, 1, 5, dtype=self.torch.float64)
        assert check_gradient(self.function(lambda g, y: g * (1 - y * y)), x).verdict == "RIGHT"
        report = check_gradient(self.function(lambda g, y: g * (1 + y * y)), x)
        assert report.verdict == "WRONG"

    def test_a_gradient_that_is_given(self):
        x = self.torch.linspace(-1, 1, 5, dtype=self.torch.float64)
        report = check_gradient(lambda x: (x**3).sum(), x, lambda x: 3 * x**2)
        assert report.verdict == "RIGHT"
        report = check_gradient(lambda x: (x**3).sum(), x, lambda x: 6 * x**2)
        assert report.verdict == "WRONG"
        assert "a factor of 2 too much" in report.explanation

    def test_float32_has_a_wider_bar(self):
        x = self.torch.linspace(-1, 1, 5, dtype=self.torch.float32)
        report = check_gradient(lambda x: x.exp().sum(), x)
        assert report.verdict == "RIGHT"
        assert report.resolution > 1e-6
        assert "float32" in str(report) and "float64" in str(report)
        wrong = check_gradient(self.function(lambda g, y: g * (1 + y * y)), x)
        assert wrong.verdict == "WRONG"

    def test_a_million_parameters(self):
        self.torch.manual_seed(0)
        x = self.torch.randn(1_000_000, dtype=self.torch.float64)
        report = check_gradient(lambda x: (x.sin() * x).sum(), x)
        assert report.verdict == "RIGHT"
        assert report.calls < 100

    def test_integers(self):
        x = self.torch.tensor([1, 2, 3])
        f = lambda x: (x.double() ** 2).sum()
        assert check_gradient(f, x, lambda x: 2 * x).verdict == "RIGHT"
        assert check_gradient(f, x).verdict == "RIGHT"

    def test_swapped_outputs_in_a_backward_pass(self):
        """Two of the weights of the outputs used to be the same."""
        torch = self.torch

        def swapped(i, j):
            class Swapped(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    return x * 2.0

                @staticmethod
                def backward(ctx, g):
                    g = g.clone()
                    g[i], g[j] = g[j].clone(), g[i].clone()
                    return 2 * g

            return Swapped.apply

        x = torch.linspace(0.3, 1, 6, dtype=torch.float64)
        pairs = [(i, j) for i in range(6) for j in range(i)]
        assert all(check_gradient(swapped(i, j), x).verdict == "WRONG" for i, j in pairs)

    def test_x_is_given_as_it_is(self):
        def f(x):
            (g,) = self.torch.autograd.grad((x**3).sum(), x, create_graph=True)
            return (g**2).sum()

        x = self.torch.linspace(0.3, 1, 4, dtype=self.torch.float64).requires_grad_()
        assert check_gradient(f, x, lambda x: 36 * x**3).verdict == "RIGHT"

    def test_a_constant_has_no_gradient(self):
        x = self.torch.ones(3, dtype=self.torch.float64)
        f = lambda x: self.torch.tensor(5.0, dtype=self.torch.float64)
        assert check_gradient(f, x).verdict == "RIGHT"

    def test_what_cannot_be_checked_says_so(self):
        x = self.torch.ones(3, dtype=self.torch.float64)
        with pytest.raises(TypeError, match="float"):
            check_gradient(lambda x: x.sum().item(), x)
        with pytest.raises(TypeError, match="bfloat16"):
            check_gradient(lambda x: x.sum(), x.bfloat16())
        with pytest.raises(TypeError, match="named_parameters"):
            check_gradient(lambda m: 1.0, self.torch.nn.Linear(2, 1), lambda m: m)

    def test_float16_is_not_right_to_a_third(self):
        x = self.torch.tensor([0.3, 1, -0.7]).half()
        report = check_gradient(lambda x: (x**2).sum(), x, lambda x: 2.6 * x)
        assert not report.ok and "float16" in str(report)


class TestJax:
    @pytest.fixture(autouse=True)
    def jax(self):
        self.jax = pytest.importorskip("jax", reason="JAX is not installed")
        self.jax.config.update("jax_enable_x64", True)
        yield
        self.jax.config.update("jax_enable_x64", False)

    def function(self, slope):
        """tanh with a custom_vjp, of g and y."""
        tanh = self.jax.custom_vjp(self.jax.numpy.tanh)
        tanh.defvjp(
            lambda x: (self.jax.numpy.tanh(x),) * 2,
            lambda y, g: (slope(g, y),),
        )
        return tanh

    def test_a_function_of_a_tree(self):
        x = {"w": self.jax.numpy.ones((2, 3)), "b": self.jax.numpy.zeros(3)}
        f = lambda p: self.jax.nn.softmax(p["w"] + p["b"])[:, 0].sum()
        assert check_gradient(f, x).verdict == "RIGHT"
        assert check_gradient(f, x, self.jax.grad(f)).verdict == "RIGHT"

    def test_a_custom_vjp(self):
        x = self.jax.numpy.linspace(-1, 1, 5)
        right, wrong = (self.function(s) for s in (lambda g, y: g * (1 - y * y), lambda g, y: g))
        assert check_gradient(right, x).verdict == "RIGHT"
        assert check_gradient(wrong, x).verdict == "WRONG"

    def test_float32_has_a_wider_bar_and_a_hint(self):
        self.jax.config.update("jax_enable_x64", False)
        x = self.jax.numpy.linspace(-1, 1, 5)
        report = check_gradient(lambda x: self.jax.numpy.exp(x).sum(), x)
        assert report.verdict == "RIGHT"
        assert report.resolution > 1e-6
        assert 'jax.config.update("jax_enable_x64", True)' in str(report)

    def test_integers(self):
        x = self.jax.numpy.array([1, 2, 3])
        f = lambda x: (x.astype(float) ** 2).sum()
        assert check_gradient(f, x, lambda x: 2.0 * x).verdict == "RIGHT"
        assert check_gradient(f, x).verdict == "RIGHT"

    def test_a_result_that_is_a_python_number(self):
        assert check_gradient(lambda x: 5.0, self.jax.numpy.ones(3)).verdict == "RIGHT"


def test_derivatives_that_ignore_what_comes_in_are_wrong():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    class Squares(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x * x).sum()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x

    report = check_gradient(Squares.apply, torch.ones(3, dtype=torch.float64))
    assert report.verdict == Verdict.WRONG and "ignores the gradient g" in str(report)
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    squares = jax.custom_vjp(lambda x: (x * x).sum())
    squares.defvjp(lambda x: ((x * x).sum(), x), lambda x, g: (2 * x,))
    assert check_gradient(squares, jax.numpy.ones(3)).verdict == Verdict.WRONG
