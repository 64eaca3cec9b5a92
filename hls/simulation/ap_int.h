// The open ap_int headers, without the warning that g++ gives inside them for wide integers; Vitis uses its own.
#pragma once
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include_next <ap_int.h>
#pragma GCC diagnostic pop
