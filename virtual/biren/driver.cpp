// BIRENSUPA's driver: CUDA's functions under other names.
#include "../cuda/driver.cpp"
