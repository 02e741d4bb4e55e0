// RUN: quern-opt %s -tile-expand-contraction -split-input-file -verify-diagnostics

// expected-error @below {{has no `schedule` attribute}}
tile.kernel @no_schedule() attributes {machine = {lanes = 4 : i32}} {
  tile.return
}

// -----

// expected-error @below {{has a schedule that cannot be read: unknown field `depth`}}
tile.kernel @bad_schedule() attributes {schedule = "k{depth=3}", machine = {lanes = 4 : i32}} {
  tile.return
}

// -----

// expected-error @below {{has no `machine` attribute with `lanes`}}
tile.kernel @no_lanes() attributes {schedule = "k{}", machine = {simd}} {
  tile.return
}
