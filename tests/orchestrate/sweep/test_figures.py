"""The image of the gains: every point a row, without identical ids."""

from kdtasks.orchestrate.sweep.page import gains_figure
from kdtasks.orchestrate.sweep.record import SweepSummary
from tests.tools.sweeps import ended_point, failed_point, point_gain, sweep_summary


def summary(verdicts: list[str], *, spread: bool = True) -> SweepSummary:
    points = [
        ended_point(
            f"alpha={place}",
            gain=point_gain(
                0.01 * place,
                verdict,
                by_seed={"0": 0.01 * place, "1": 0.02},
                interval=(-0.01, 0.03) if spread else None,
            ),
        )
        for place, verdict in enumerate(verdicts)
    ]
    return sweep_summary(*points, failed_point("alpha=0.99"), chosen="alpha=1")


def test_every_point_with_a_gain_is_a_row():
    image = gains_figure(summary(["helps", "hurts", "inconclusive"]))
    for label in ("alpha=0", "alpha=1", "alpha=2"):
        assert f">{label}<" in image
    assert "alpha=0.99" not in image
    assert all(f"var(--{name})" in image for name in ("distill", "student", "muted", "chosen"))


def test_more_points_make_it_higher():
    def height(image: str) -> float:
        return float(image.split('viewBox="')[1].split('"')[0].split()[3])

    few, many = gains_figure(summary(["helps"] * 3)), gains_figure(summary(["helps"] * 9))
    assert height(many) - height(few) == 6 * 0.27 * 72


def test_it_can_be_drawn_without_intervals():
    assert gains_figure(summary(["inconclusive"], spread=False)).startswith("<svg")


def test_the_same_figures_give_the_same_bytes():
    assert gains_figure(summary(["helps"])) == gains_figure(summary(["helps"]))
