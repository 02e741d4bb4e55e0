// RUN: quern-opt %s -tile-infer-layouts -split-input-file -verify-diagnostics

// expected-error @below {{has no `schedule` attribute}}
tile.kernel @no_schedule() attributes {machine = {lanes = 4 : i32}} {
  tile.return
}

// -----

// expected-error @below {{has no `machine` attribute with `lanes`}}
tile.kernel @no_machine() attributes {schedule = "k{}"} {
  tile.return
}
