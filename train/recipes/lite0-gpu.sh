#!/usr/bin/env bash
# All trainings of a release on one GPU: three teachers with every source, three without Sakha-TB and
# three without Shenzhen side by side, then a student of each three. Prepared; what was tried: log.md.
#
# Here:  cxr-train pack DATA/cxr4 --extra DATA/cxr4_extra --lungs DATA/lung_masks \
#          --boxes DATA/tb_boxes.csv --out pack --part-mib 64
# There, in a checkout with the extras train and pretrained, the parts unpacked into PACKED:
#        bash train/recipes/lite0-gpu.sh PACKED OUT
# Back:  OUT/student, OUT/student-without-Sakha-TB and OUT/student-without-Shenzhen, for
#        cxr-export OUT/student --calibration DATA/cxr4 --out cxr-lite0.onnx
#
# Begun again it goes on where it was. Words after OUT go to every `cxr-train fit`.
set -euo pipefail
recipes=$(cd "$(dirname "$0")" && pwd)
packed=$1 out=$2
shift 2
mkdir -p "$out"

# fit NAME RECIPE WORDS...: one training, its messages in OUT/NAME.log.
fit() {
  local name=$1 recipe=$2
  shift 2
  cxr-train fit "$packed/films" --extra "$packed/extra-1" --lungs "$packed/lungs" \
    --boxes "$packed/boxes.csv" --recipe "$recipes/$recipe.toml" --cache "$out/cache" \
    --resume --out "$out/$name" "$@" >>"$out/$name.log" 2>&1 ||
    { echo "$name failed: $out/$name.log" >&2 && return 1; }
  echo "$name: $(tail -n 2 "$out/$name.log" | head -n 1)"
}

# finish PIDS...: wait for all of them; 1 if one failed.
finish() {
  local pid status=0
  for pid in "$@"; do wait "$pid" || status=1; done
  return "$status"
}

started=()
for left_out in "" Sakha-TB Shenzhen; do
  for seed in 0 1 2; do
    fit "teacher${left_out:+-without-$left_out}-$seed" lite0-gpu-teacher --seed "$seed" \
      ${left_out:+--without "$left_out"} "$@" &
    started+=($!)
  done
done
finish "${started[@]}"

started=()
for left_out in "" Sakha-TB Shenzhen; do
  teacher="$out/teacher${left_out:+-without-$left_out}"
  fit "student${left_out:+-without-$left_out}" lite0-gpu-student ${left_out:+--without "$left_out"} \
    --start-from "$teacher-0" --teacher "$teacher-0" --teacher "$teacher-1" --teacher "$teacher-2" \
    "$@" &
  started+=($!)
done
finish "${started[@]}"
