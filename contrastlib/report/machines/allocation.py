"""How the processes that compute allocate memory.

By default, glibc returns the memory of each large tensor and maps the next one page by page. If the memory is
kept, and on huge pages, the masking of section 5.2.2 takes half the CPU time (MobileNet V2) to two thirds
(SqueezeNet).
"""

ALLOCATION = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"
    ":glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296",
    # Dask's own value is small. With it, each large tensor is mapped anew, in 1.6 times the CPU time.
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
}
"""Environment variables of a process that starts. Only glibc reads them."""
