// What programs in XPU C++ include. Its meaning is in kernel.h, which every program is given.
#pragma once
#include "kernel.h"
