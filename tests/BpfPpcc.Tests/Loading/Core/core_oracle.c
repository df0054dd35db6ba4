/*
 * What libbpf makes of the CO-RE relocations of an object: `core_oracle OBJECT BTF` loads OBJECT with the types of BTF as the kernel's
 * and prints libbpf's own account of every relocation. Nothing is loaded: the bpf(2) system call is answered here, and so is the search for
 * the running kernel's types. libbpf relocates while it loads and has no other way to be asked.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *types_file;

long syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

static int is_kernel_types(const char *path)
{
	return strcmp(path, "/sys/kernel/btf/vmlinux") == 0;
}

int faccessat(int folder, const char *path, int mode, int flags)
{
	int (*real)(int, const char *, int, int) = (int (*)(int, const char *, int, int))dlsym(RTLD_NEXT, "faccessat");
	return is_kernel_types(path) ? 0 : real(folder, path, mode, flags);
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");
	return real(is_kernel_types(path) ? types_file : path, mode);
}

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	return vprintf(format, arguments);
}

/* Sections whose programs libbpf looks up in the kernel get a name that it does not know: relocation is the same. */
static void hide_section_names(char *bytes, size_t size)
{
	static const char *const names[] = {
		"fentry", "fexit", "fmod_ret", "tp_btf", "lsm", "lsm_cgroup", "iter", "freplace", "struct_ops", "raw_tp", "kprobe", "uprobe",
		"fentry.s", "fexit.s", "fmod_ret.s", "lsm.s", "iter.s", "struct_ops.s",
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
		size_t length = strlen(names[n]);
		for (size_t i = 1; i + length + 1 < size; i++) {
			int starts = bytes[i - 1] == 0 || bytes[i - 1] == '?' || (i > 4 && memcmp(bytes + i - 4, ".rel", 4) == 0);
			if (starts && memcmp(bytes + i, names[n], length) == 0 && (bytes[i + length] == '/' || bytes[i + length] == 0))
				bytes[i] = 'X';
		}
	}
}

/* Externs that the types do not have are no matter here. */
static void make_externs_weak(char *bytes, size_t size)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;

	if (size < sizeof(*header) || header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr) > size)
		return;
	Elf64_Shdr *sections = (Elf64_Shdr *)(bytes + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++) {
		if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_offset + sections[i].sh_size > size)
			continue;
		Elf64_Sym *symbols = (Elf64_Sym *)(bytes + sections[i].sh_offset);
		for (size_t s = 1; s < sections[i].sh_size / sizeof(*symbols); s++)
			if (symbols[s].st_shndx == SHN_UNDEF)
				symbols[s].st_info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(symbols[s].st_info));
	}
}

int main(int count, char **arguments)
{
	if (count != 3)
		return 2;
	FILE *file = fopen(arguments[1], "rb");
	if (file == NULL)
		return 1;
	size_t size = 0, room = 1 << 24;
	char *bytes = malloc(room);
	size = fread(bytes, 1, room, file);
	fclose(file);
	hide_section_names(bytes, size);
	make_externs_weak(bytes, size);

	types_file = arguments[2];
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	libbpf_set_print(print);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "object", .btf_custom_path = types_file);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);
	if (object == NULL) {
		printf("oracle: not opened\n");
		return 0;
	}
	struct bpf_program *program;
	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, true);
		bpf_program__set_type(program, BPF_PROG_TYPE_SOCKET_FILTER);
		printf("oracle: program '%s' section '%s'\n", bpf_program__name(program), bpf_program__section_name(program));
	}
	printf("oracle: loaded %d\n", bpf_object__load(object));
	return 0;
}
