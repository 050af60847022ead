#ifndef C_ALLOCATOR_H
#define C_ALLOCATOR_H

/// Gives whole pages of free memory back to the system. Takes the lock of each pool meanwhile.
void allocator_give_back(void);

#endif
