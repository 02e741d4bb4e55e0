//===- KnownCards.cpp - The cards of hardware.csv -------------------------===//
//
// Sources and doubts of each number are in the columns `source`, `unconfirmed_fields` and `notes` of
// hardware.csv.
//
//===----------------------------------------------------------------------===//
#include "support/target/KnownTargets.h"

namespace quern {

namespace {

// name, generation, architecture, units, MHz, W, GB, memory, TB/s, TFLOPS of bf16, fp8, fp4 and int8, fp8
// encoding, shared KiB a unit, shared bytes a block, L2 MiB, memory cache MiB, register KiB a unit, measured
// bf16, fp8, TB/s
constexpr CardInfo cards[] = {
    {"A100 SXM 80GB", "Ampere", "sm_80", 108, 1410,  400, 80,  "HBM2e", 2.0, 312, 0, 0, 624, "", 164,
     166912,          40,       0,       256, 271.2, 0,   1.41},
    {"H100 SXM5", "Hopper", "sm_90a",          132, 1830,   700, 80, "HBM3", 3.35,  989,    1979,
     0,           1979,     "OCP e4m3fn/e5m2", 228, 232448, 50,  0,  256,    794.5, 1402.6, 2.83},
    {"H100 PCIe", "Hopper", "sm_90a",          114, 0,      350, 80, "HBM2e", 2.0, 756, 1513,
     0,           1513,     "OCP e4m3fn/e5m2", 228, 232448, 50,  0,  256,     433, 580, 0},
    {"H200 SXM", "Hopper", "sm_90a",          132, 1830,   700, 141, "HBM3e", 4.8, 989,    1979,
     0,          1979,     "OCP e4m3fn/e5m2", 228, 232448, 50,  0,   256,     0,   1453.4, 0},
    {"H800 SXM5", "Hopper", "sm_90a",          132, 0,      0,  80, "HBM3", 3.35, 989,  1979,
     0,           0,        "OCP e4m3fn/e5m2", 228, 232448, 50, 0,  256,    0,    1550, 3.0},
    {"H20", "Hopper", "sm_90a",          78,  0,      0,  96, "HBM3", 4.0, 148, 296,
     0,     296,      "OCP e4m3fn/e5m2", 228, 232448, 60, 0,  256,    0,   0,   3.1},
    {"GH200", "Hopper", "sm_90a",          132, 0,      0,  96, "HBM3", 4.0,   989,  1979,
     0,       0,        "OCP e4m3fn/e5m2", 228, 232448, 50, 0,  256,    828.6, 1535, 0},
    {"L40S", "Ada", "sm_89",           142, 2520,   350, 48, "GDDR6", 0.864, 362, 733,
     0,      733,   "OCP e4m3fn/e5m2", 100, 101376, 96,  0,  256,     0,     0,   0},
    {"RTX 4090", "Ada", "sm_89",           128, 2520,   450, 24, "GDDR6X", 1.008, 165.2, 330.3,
     0,          660.6, "OCP e4m3fn/e5m2", 100, 101376, 72,  0,  256,      0,     0,     0.923},
    {"B200 SXM", "Blackwell", "sm_100a", 148,  1965, 1000, 180,
     "HBM3e",    8.0,         2250,      4500, 9000, 4500, "OCP e4m3fn + mx block scale",
     228,        232448,      126,       0,    256,  1745, 3432.5,
     0},
    {"B300",    "Blackwell Ultra",
     "sm_103a", 0,
     0,         0,
     288,       "HBM3e",
     8.0,       2250,
     4500,      0,
     0,         "OCP e4m3fn + mx block scale",
     228,       232448,
     0,         0,
     256,       1769,
     3353,      0},
    {"RTX 5090", "Blackwell (consumer)",
     "sm_120a",  170,
     2407,       575,
     32,         "GDDR7",
     1.792,      209.5,
     419,        1676,
     0,          "OCP e4m3fn + mx block scale",
     100,        101376,
     96,         0,
     256,        254,
     773,        0},
    {"MI210", "CDNA2", "gfx90a", 104, 1700,  300, 64, "HBM2e", 1.6, 181, 0,
     0,       181,     "",       64,  65536, 8,   0,  512,     0,   0,   0},
    {"MI250X", "CDNA2", "gfx90a", 220, 1700,  560, 128, "HBM2e", 3.28, 383, 0,
     0,        383,     "",       64,  65536, 16,  0,   512,     0,    0,   1.029},
    {"MI300X", "CDNA3", "gfx942", 304,  2100, 750,   192,
     "HBM3",   5.3,     1307,     2615, 0,    2615,  "FNUZ e4m3fnuz/e5m2fnuz",
     64,       65536,   32,       256,  512,  668.4, 1037.5,
     4.0},
    {"MI325X", "CDNA3", "gfx942", 304,  2100, 1000,  256,
     "HBM3e",  6.0,     1307,     2615, 0,    2615,  "FNUZ e4m3fnuz/e5m2fnuz",
     64,       65536,   32,       256,  512,  784.9, 0,
     0},
    {"MI308X", "CDNA3", "gfx942", 80, 0,   0, 192, "",  5.3, 0, 0, 0, 0, "FNUZ e4m3fnuz/e5m2fnuz",
     64,       65536,   0,        0,  512, 0, 0,   4.17},
    {"MI350X", "CDNA4", "gfx950", 256,  2200, 1000, 288,
     "HBM3e",  8.0,     2300,     4600, 9200, 0,    "OCP e4m3fn + mx block scale",
     160,      163840,  32,       256,  512,  0,    0,
     0},
    {"MI355X", "CDNA4", "gfx950", 256,  2400,  1400, 288,
     "HBM3e",  8.0,     2500,     5000, 10100, 0,    "OCP e4m3fn + mx block scale",
     160,      163840,  32,       256,  512,   1565, 3378,
     6.0},
    {"RX 7900 XTX", "RDNA3", "gfx1100", 96,    2499, 355, 24,  "GDDR6", 0.96, 122.8, 0, 0,
     122.8,         "",      128,       65536, 6,    96,  768, 0,       0,    0},
    {"Radeon PRO W7900",
     "RDNA3",
     "gfx1100",
     96,
     0,
     0,
     48,
     "GDDR6",
     0.864,
     0,
     0,
     0,
     0,
     "",
     128,
     65536,
     6,
     96,
     768,
     0,
     0,
     0},
    {"RX 9070 XT", "RDNA4",           "gfx1201", 64,    2970, 304, 16,  "GDDR6", 0.64, 195, 389, 0,
     389,          "OCP e4m3fn/e5m2", 128,       65536, 8,    64,  768, 0,       0,    0},
    {"Radeon AI PRO R9700", "RDNA4", "gfx1201", 64, 2920, 300, 32, "GDDR6", 0.64, 191, 383, 0, 383,
     "OCP e4m3fn/e5m2",     128,     65536,     8,  64,   768, 0,  0,       0},
};

} // namespace

std::span<const CardInfo> knownCards() { return cards; }

const CardInfo *findCard(std::string_view name) {
  for (const CardInfo &card : cards)
    if (card.name == name)
      return &card;
  return nullptr;
}

} // namespace quern
