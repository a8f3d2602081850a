from kdtasks.core.records.training import Training
from tests.core.records.conftest import RoundTrip


def test_an_imported_teacher(round_trip: RoundTrip):
    training = round_trip(
        Training,
        {
            "validation": {"accuracy": [0.946]},
            "parameters": 2752506,
            "macs": None,
            "epochs": 0,
            "seed": None,
        },
    )
    assert training.macs is None
    assert training.validation.loss is None


def test_a_student_of_masks_with_a_start(round_trip: RoundTrip):
    training = round_trip(
        Training,
        {
            "validation": {"accuracy": [0.8], "mean_iou": [0.6], "loss": 0.5},
            "parameters": 123029,
            "macs": [55312384],
            "epochs": 100,
            "seed": 0,
            "start": "models/start/0",
            "trend": {"rise": 0.012, "standard_error": 0.003, "scatter_before": 0.004},
        },
    )
    assert training.validation.mean_iou == (0.6,)
    assert training.start == "models/start/0"
    assert training.trend is not None
    assert training.trend.rise == 0.012


def test_an_ensemble(round_trip: RoundTrip):
    training = round_trip(
        Training,
        {
            "validation": {"accuracy": [0.9], "loss": 0.3},
            "parameters": 20,
            "macs": [100],
            "epochs": 2,
            "seed": 0,
            "members": [{"accuracy": 0.88, "loss": 1.0, "seed": 0}],
        },
    )
    assert training.members[0].accuracy == 0.88
