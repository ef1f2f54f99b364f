/* SPDX-License-Identifier: MIT */
/*
 * devfs.c - /dev: one tree of device nodes that drivers add themselves to.
 *
 * The tree exists from the first devfs_add on, mounted or not; every mount shows the same one.
 * Programs may add what they like (udev-less systems put sockets and links here).
 */
#include "errno.h"
#include "initcall.h"
#include "memfs.h"
#include "slab.h"
#include "string.h"

static struct super_block *devfs;

static int make_tree(void)
{
    struct super_block *sb = kzalloc(sizeof(*sb), GFP_KERNEL);
    int err;

    if (devfs)
        return 0;
    if (!sb)
        return -ENOMEM;
    sb->block_size = PAGE_SIZE;
    sb->dev = MKDEV(0, 5);
    list_init(&sb->link);
    list_init(&sb->inodes);
    err = memfs_fill(sb, 0755, 0);
    if (err)
        kfree(sb);
    else
        devfs = sb;
    return err;
}

/* The directory of a name like "pts/0" or "input/mouse0", made if it is missing. */
static struct inode *parent_of(const char **name)
{
    struct inode *dir = devfs->root->inode;
    const char *slash;

    while ((slash = strchr(*name, '/'))) {
        struct dentry key = {.len = (u16)(slash - *name), .name = (char *)*name};
        struct inode *sub;

        memfs_dir_ops.lookup(dir, &key);
        sub = key.inode;
        if (!sub) {
            sub = memfs_node(devfs, S_IFDIR | 0755, 0);
            if (IS_ERR(sub) || memfs_enter(dir, *name, (u32)(slash - *name), sub))
                return ERR_PTR(-ENOMEM);
        }
        inode_put(sub); /* its entry holds it */
        dir = sub;
        *name = slash + 1;
    }
    return dir;
}

int devfs_add(const char *name, mode_t mode, dev_t dev)
{
    int err = make_tree();
    struct inode *dir, *i;

    if (err)
        return err;
    dir = parent_of(&name);
    if (IS_ERR(dir))
        return (int)PTR_ERR(dir);
    i = memfs_node(devfs, mode, dev);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    i->uid = i->gid = 0;
    err = memfs_enter(dir, name, strlen(name), i);
    inode_put(i);
    return err;
}

void devfs_remove(const char *name)
{
    struct inode *dir = devfs ? parent_of(&name) : NULL;

    if (dir && !IS_ERR(dir))
        memfs_remove(dir, name, strlen(name));
}

/* A mount has a root dentry of its own above the one tree's root inode. */
static int devfs_mount(struct super_block *sb, const char *data)
{
    int err = make_tree();

    if (err)
        return err;
    inode_ref(devfs->root->inode);
    sb->dev = devfs->dev;
    sb->no_dcache = true; /* drivers add and remove nodes */
    sb->root = dentry_root(sb, devfs->root->inode);
    return sb->root ? 0 : -ENOMEM;
}

static struct fs_type type = {.name = "devfs", .mount = devfs_mount};
static struct fs_type alias = {.name = "devtmpfs", .mount = devfs_mount};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

static int devfs_init(void)
{
    fs_register(&type);
    fs_register(&alias);
    if (make_tree())
        return -ENOMEM;
    for (unsigned k = 0; k < ARRAY_SIZE(links); k++) {
        struct inode *i = memfs_node(devfs, S_IFLNK | 0777, 0);

        if (IS_ERR(i))
            return -ENOMEM;
        i->priv = kstrdup(links[k].target);
        i->size = strlen(links[k].target);
        memfs_enter(devfs->root->inode, links[k].name, strlen(links[k].name), i);
        inode_put(i);
    }
    return 0;
}
fs_initcall(devfs_init);
