#ifndef C_ALLOCATOR_H
#define C_ALLOCATOR_H

/// Returns whole pages of free memory to the system. Takes the lock of each pool meanwhile.
void allocator_give_back(void);

#endif
