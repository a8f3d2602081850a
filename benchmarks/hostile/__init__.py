"""Damaged and hostile files, by the thousand: what opens them says so in one sentence, or answers.

    python -m benchmarks.hostile [bundles] [teachers] [images] [--trials N] [--write]

Counted are tracebacks, ends of the process, what takes more than ten seconds, and files that are
left outside their place. `--write` puts the counts into results/hostile.json and
docs/reliability.md. Every trial is drawn from its number, so `--only N` repeats one.
"""
