"""The table of a run."""

from pathlib import Path

from kdtasks.learn.training.monitor import write_history


def test_a_row_an_epoch(tmp_path: Path):
    row = {"loss": 1.5, "accuracy": 0.25, "validation_loss": 2.0, "validation_accuracy": 0.125}
    history = [{"epoch": 1, **row}, {"epoch": 2, **row, "loss": 0.000001}]
    write_history(tmp_path / "plots" / "teacher.csv", history)
    assert (tmp_path / "plots" / "teacher.csv").read_bytes() == (
        b"epoch,loss,accuracy,validation_loss,validation_accuracy\n"
        b"1,1.5,0.25,2.0,0.125\n"
        b"2,1e-06,0.25,2.0,0.125\n"
    )


def test_a_run_with_a_teacher_has_more_columns(tmp_path: Path):
    row = {"loss": 1.5, "accuracy": 0.25, "validation_loss": 2.0, "validation_accuracy": 0.125}
    taught = {"teacher_agreement": 0.75, "alpha": 0.1, "temperature": 4.0}
    write_history(tmp_path / "distill.csv", [{"epoch": 1, **row, **taught}])
    assert (tmp_path / "distill.csv").read_text(encoding="utf-8") == (
        "epoch,loss,accuracy,validation_loss,validation_accuracy,teacher_agreement,alpha,"
        "temperature\n1,1.5,0.25,2.0,0.125,0.75,0.1,4.0\n"
    )


def test_an_imported_teacher_has_a_table_without_rows(tmp_path: Path):
    write_history(tmp_path / "teacher.csv", [])
    assert (tmp_path / "teacher.csv").read_text(encoding="utf-8") == (
        "epoch,loss,accuracy,validation_loss,validation_accuracy\n"
    )
